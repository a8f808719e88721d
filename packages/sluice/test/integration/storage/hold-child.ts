/** Child process that holds an embedded database until its standard input ends. */
import { openChdb } from '../../../src/storage/chdb.ts';

const store = await openChdb({ path: process.argv[2]!, maxMemory: 300e6 });
console.log('held');
for await (const _ of process.stdin) continue;
await store.close();
