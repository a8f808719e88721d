import { createLoad, send } from './load.ts';
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
const message = process.argv[2] === '2' ? 'io.prometheus.write.v2.Request' : 'prometheus.WriteRequest';
const scrapes = Number(process.argv[3] ?? 100);
const load = createLoad({series:20000,labels:15,seriesPerRequest:2000,scrapes,startMs:Date.now()-scrapes*15000-60000,stepMs:15000,message});
rmSync('/tmp/sdp',{recursive:true,force:true});
const child = spawn('/work/main/node_modules/node/bin/node', ['--conditions=@sluice/source', ...(process.env.FLAGS?process.env.FLAGS.split(' '):[]), ...(process.env.PROF?['--cpu-prof','--cpu-prof-dir=/tmp/cpuprof9']:[]), '/work/main/packages/sluice/src/cli.ts','serve','--data-dir','/tmp/sdp','--set','listen.http=127.0.0.1:24161','--set','listen.integration=127.0.0.1:0'], {stdio:['ignore',process.env.OUT?'inherit':'ignore','inherit'], env:{...process.env, UV_THREADPOOL_SIZE:'16'}});
await new Promise(r=>setTimeout(r,4000));
function threads(){ const m=new Map<string,{n:string,t:number}>(); for(const t of readdirSync(`/proc/${child.pid}/task`)){ const s=readFileSync(`/proc/${child.pid}/task/${t}/stat`,'utf8'); const name=s.slice(s.indexOf('(')+1,s.lastIndexOf(')')); const f=s.slice(s.lastIndexOf(')')+2).split(' '); m.set(t,{n:Number(t)===child.pid?'MAIN':name,t:(Number(f[11])+Number(f[12]))/100}); } return m; }
const before=threads();
const r = await send(load,'http://127.0.0.1:24161/api/v1/write',4);
console.log('sent', r.seconds, load.samples/r.seconds, 'retries', r.retries);
const at=threads();
await new Promise(r=>setTimeout(r,Number(process.env.SETTLE??15)*1000));
const after=threads();
const by=new Map<string,[number,number]>();
for(const [t,{n,t:c}] of after){ const b=before.get(t)?.t??0; const a=at.get(t)?.t??0; const e=by.get(n)??[0,0]; e[0]+=Math.max(0,a-b); e[1]+=c-Math.max(a,b); by.set(n,e); }
const tot=[...by.values()].reduce((s,[a,b])=>s+a+b,0);
for(const [n,[a,b]] of [...by].sort((x,y)=>y[1][0]+y[1][1]-x[1][0]-x[1][1]).slice(0,12)) console.log(n.padEnd(18), a.toFixed(2), b.toFixed(2));
console.log('total cpu', tot.toFixed(2), 'samples/cpu-s', Math.round(load.samples/tot));
child.kill('SIGTERM'); await new Promise(r=>child.on('exit',r));
