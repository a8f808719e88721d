/** Two hubs on one ClickHouse: what both describe, and what only one of them does, has the same ids in the rows of both. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compressBlock, encodeWriteRequest } from 'promwrite/wire';
import { stringify } from 'yaml';
import { startChdbFront } from '../integration/storage/chdb-front.ts';
import { Hub, Scratch, until } from './processes.ts';
import { startCluster, writeKubeconfig } from './tagged-platform.ts';

async function writeSeries(hub: Hub, labels: Readonly<Record<string, string>>): Promise<void> {
  const samples = [{ value: 1, timestamp: Date.now() }];
  const answer = await fetch(`${hub.http}/api/v1/write`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-protobuf', 'Content-Encoding': 'snappy' },
    body: compressBlock(encodeWriteRequest({ timeseries: [{ labels, samples }] })),
  });
  assert.equal(answer.status, 204);
}

describe('hubs on one ClickHouse', { timeout: 180_000 }, () => {
  it('tag with the same ids, which stay over a restart; one that follows goes on when the other is gone', async () => {
    using scratch = new Scratch();
    const front = await startChdbFront(scratch.path);
    const api = await startCluster();
    try {
      const kubeconfig = writeKubeconfig(scratch, 'kubeconfig', `http://127.0.0.1:${api.port}`);
      const start = (name: string, tags: object) => {
        const kubernetes = [{ 'cluster-id': 'c1', name: 'prod', kubeconfig }];
        const config = scratch.file(
          `${name}.yaml`,
          stringify({ storage: { engine: 'clickhouse', urls: [front.url] }, tags: { kubernetes, ...tags } }),
        );
        return Hub.start(`${scratch.path}/${name}`, { args: ['--config', config] });
      };
      const own = scratch.file('own.yaml', 'chosts: [{ name: metal-7, address: 192.0.2.7 }]\n');
      await using giver = await start('giver', {});
      await giver.ready();
      await using follower = await start('follower', { allocator: 'off', files: [own] });
      await follower.ready();
      const output = () => `giver:\n${giver.output()}\nfollower:\n${follower.output()}`;
      /** Ids of pod, namespace and machine as the series has them now. */
      const tagged = async (hub: Hub, metric: string, labels: Readonly<Record<string, string>>) => {
        await writeSeries(hub, { __name__: metric, ...labels });
        return until(
          async () => {
            const statement = `SELECT pod_id, pod_ns_id, l3_device_id FROM prometheus.series WHERE metric_name = '${metric}' ORDER BY valid_from DESC LIMIT 1`;
            const [pod = 0, namespace = 0, machine = 0] = (await front.ask(statement)).split('\t').map(Number);
            return pod + machine > 0 ? { pod, namespace, machine } : undefined;
          },
          60_000,
          () => `${metric} to be tagged\n${output()}`,
        );
      };

      const web = { namespace: 'shop', pod: 'web-a' };
      const seen = await tagged(giver, 'of_giver', web);
      assert.deepEqual(await tagged(follower, 'of_follower', web), seen);
      assert.deepEqual(
        [await giver.metric('sluice_tag_id_giver'), await follower.metric('sluice_tag_id_giver')],
        [1, 0],
      );

      // What only the follower describes has its id from the other one, which knows its name.
      const { machine } = await tagged(follower, 'machine_of_follower', { instance: '192.0.2.7:9100' });
      const published = `SELECT name, term FROM flow_tag.name_map FINAL WHERE kind = 'chost' AND id = ${machine}`;
      assert.equal(await front.ask(published), 'metal-7\t1');

      assert.equal(await giver.end(), 0, giver.output());
      assert.equal(await follower.end(), 0, follower.output());
      await front.stopListening();
      await using again = await start('follower', { allocator: 'off', files: [own] });
      await writeSeries(again, { __name__: 'of_follower_again', ...web });
      await front.listen();
      await again.ready(60_000);
      assert.equal((await tagged(again, 'of_follower_later', web)).pod, seen.pod);
      assert.equal(await again.end(), 0, again.output());
    } finally {
      await api.close();
      await front.close();
    }
  });
});
