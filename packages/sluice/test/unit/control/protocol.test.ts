import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { loadSync, type MessageTypeDefinition } from '@grpc/proto-loader';
import { loadProtocol, type Requests, type ResponseName } from '../../../src/control/protocol.ts';

const fixtures = new URL('../../fixtures/agent-control/', import.meta.url);
const names = readdirSync(fixtures).filter((name) => name.endsWith('.json'));
const protocol = loadProtocol();

/** The same definition with names in place of numbers, as the recordings' decodings have them. */
const named = loadSync(fileURLToPath(new URL('../../../src/control/synchronizer.proto', import.meta.url)), {
  keepCase: true,
  longs: String,
  enums: String,
  bytes: String,
});

interface Recording {
  readonly message: string;
  readonly bytes: number;
  readonly decoded: object;
}

function recording(name: string): { readonly bytes: Buffer; readonly json: Recording } {
  const json = JSON.parse(readFileSync(new URL(name, fixtures), 'utf8')) as Recording;
  return { bytes: readFileSync(new URL(name.replace('.json', '.bin'), fixtures)), json };
}

describe('recorded messages decode to what an independent decoder made of them', () => {
  for (const name of names) {
    test(name, () => {
      const { bytes, json } = recording(name);
      assert.equal(bytes.length, json.bytes);
      const type = named[json.message] as MessageTypeDefinition<object, object>;
      assert.deepEqual(plain(type.deserialize(bytes)), json.decoded);
    });
  }
});

test('all recorded requests pass the limits, and every field that is read has the type it is said to have', () => {
  assert.equal(names.length, 14);
  for (const name of names) {
    const { bytes, json } = recording(name);
    if (json.message === 'agent.SyncResponse') continue;
    const message: unknown = protocol.decode(json.message.slice(6) as keyof Requests, bytes);
    assert.ok(typeof message === 'object' && message !== null);
  }
  const sync = protocol.decode('SyncRequest', recording('05-Sync-request-invalid-config.json').bytes);
  assert.equal(sync.exception, '256');
  assert.equal(sync.memory_size, '25276514304');
  assert.equal(sync.agent_unique_identifier, 1);
  assert.equal(sync.kubernetes_cluster_name, undefined);
  assert.deepEqual(sync.host_ips, ['10.77.0.1', '10.77.1.1', 'fd77:1::1']);
});

test('an answer is encoded as the recorded one, byte for byte', () => {
  const { bytes, json } = recording('50-SyncResponse-minimal-as-sent.json');
  const decoded = json.decoded as { user_config: string };
  const message = {
    status: 0,
    user_config: decoded.user_config,
    version_platform_data: 1,
    version_acls: 1,
    version_groups: 1,
    dynamic_config: { enabled: true, vpc_id: 7, agent_id: 12, team_id: 1, organize_id: 1, agent_type: 5 },
  };
  assert.deepEqual(protocol.encode('SyncResponse', message), bytes);
});

test('every answer has its message', () => {
  const responses: ResponseName[] = [
    'SyncResponse',
    'NtpResponse',
    'GenesisSyncResponse',
    'KubernetesAPISyncResponse',
    'KubernetesClusterIDResponse',
    'GPIDSyncResponse',
    'RemoteExecRequest',
  ];
  for (const name of responses) assert.equal(protocol.encode(name, {}).length, 0);
});

test('torn, nested and oversized messages throw', () => {
  const { bytes } = recording('08-GenesisSync-request-full.json');
  assert.throws(() => protocol.decode('GenesisSyncRequest', bytes.subarray(0, bytes.length - 1)), /torn/);
  // Groups in groups, on which decoders recurse.
  assert.throws(() => protocol.decode('SyncRequest', Buffer.alloc(1_000_000, 0x0b)), /wire type/);
  assert.throws(
    () => protocol.decode('GPIDSyncRequest', Buffer.alloc(600_000, Buffer.from([0x52, 0]))),
    /at most 250000 values/,
  );
});

test('recorded requests with bytes changed, cut out or put in are read or refused', () => {
  const requests = names.map(recording).filter(({ json }) => json.message !== 'agent.SyncResponse');
  const change = fc.record({
    which: fc.nat(requests.length - 1),
    at: fc.nat(),
    remove: fc.nat(8),
    insert: fc.uint8Array({ maxLength: 8 }),
  });
  let refused = 0;
  let read = 0;
  fc.assert(
    fc.property(change, ({ which, at, remove, insert }) => {
      const { bytes, json } = requests[which] ?? assert.fail('no recording');
      const from = at % bytes.length;
      const mutated = Buffer.concat([bytes.subarray(0, from), insert, bytes.subarray(from + remove)]);
      try {
        const message: unknown = protocol.decode(json.message.slice(6) as keyof Requests, mutated);
        assert.equal(typeof message, 'object');
        read++;
      } catch (error) {
        assert.ok(error instanceof Error && !(error instanceof assert.AssertionError), String(error));
        refused++;
      }
    }),
    { numRuns: 3000 },
  );
  assert.ok(refused > 100 && read > 100, `${refused} refused, ${read} read`);
});

/** Without prototypes and the like. */
function plain(value: object): unknown {
  return JSON.parse(JSON.stringify(value));
}
