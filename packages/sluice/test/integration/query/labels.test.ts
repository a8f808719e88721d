import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { SluiceError } from '../../../src/base/errors.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { readLimitsSchema, toReadLimits } from '../../../src/query/config.ts';
import { createLabelsApi } from '../../../src/query/labels/labels-api.ts';
import type { Store } from '../../../src/storage/store.ts';
import { bitsOf } from '../../unit/query/chunk-decoder.ts';
import { ask, bodyOf } from './ask.ts';
import { openTestDatabase, type TestDatabase } from './prometheus-data.ts';

const T = 1_700_000_000_000;
const HOUR = 3_600_000;
const at = (...times: number[]) => times.map((time) => ({ time, bits: bitsOf(1) }));

describe('the labels API', () => {
  let database: TestDatabase;
  const limits = toReadLimits(readLimitsSchema.parse({}));
  const api = (store: Store) =>
    createLabelsApi({ store, limits, metrics: createMetrics(), log: createLog({ level: 'silent' }) });
  const get = async (path: string, query = '', method = 'GET', org = 1): Promise<Record<string, unknown>> => {
    const reply = await ask(api(database.store), { path, query: new URLSearchParams(query), method, org });
    assert.equal(reply.headers?.['content-type'], 'application/json');
    return JSON.parse((await bodyOf(reply)).toString()) as Record<string, unknown>;
  };
  const success = (data: unknown) => ({ status: 'success', data });

  before(async () => {
    database = await openTestDatabase([1, 2]);
    await database.insert([
      {
        labels: [
          ['__name__', 'up'],
          ['instance', 'a:1'],
          ['job', 'one'],
        ],
        samples: at(T, T + 15_000),
      },
      {
        labels: [
          ['__name__', 'up'],
          ['instance', 'b:1'],
          ['job', 'two'],
        ],
        samples: at(T + 2 * HOUR),
      },
      {
        labels: [
          ['__name__', 'down'],
          ['größe', 'x'],
          ['job', 'Two'],
        ],
        samples: at(T),
      },
      {
        labels: [
          ['__name__', 'hist.gram'],
          ['__proto__', 'p'],
          ['job', 'one'],
        ],
        histograms: [histogramAt(T + HOUR)],
      },
    ]);
    await database.insert(
      [
        {
          labels: [
            ['__name__', 'other'],
            ['second', 'org'],
          ],
          samples: at(T),
        },
      ],
      2,
    );
    const said = { unit: 's', help: 'help "text"' };
    await database.insertMetadata([
      { family: 'up', type: 'gauge', ...said, time: T },
      { family: 'up', type: 'gauge', ...said, time: T + HOUR },
      { family: 'up', type: 'counter', unit: '', help: '', time: T },
      { family: 'up', type: 'unknown', unit: '', help: 'of long ago', time: T - 48 * HOUR },
      { family: 'down', type: 'histogram', unit: '', help: '', time: T },
    ]);
  });
  after(() => database.close());

  const range = (start: number, end: number) => `&start=${start / 1000}&end=${new Date(end).toISOString()}`;

  it('lists series as objects of labels, each once, sorted', async () => {
    const a = { __name__: 'up', instance: 'a:1', job: 'one' };
    const b = { __name__: 'up', instance: 'b:1', job: 'two' };
    assert.deepEqual(await get('/api/v1/series', 'match[]=up'), success([a, b]));
    assert.deepEqual(await get('/api/v1/series', 'match[]=up{job="two"}&match[]=up', 'POST'), success([a, b]));
    assert.deepEqual(await get('/api/v1/series', 'match[]=nosuch'), success([]));
    const own = JSON.parse('{"__name__":"hist.gram","__proto__":"p","job":"one"}') as unknown;
    assert.deepEqual(await get('/api/v1/series', 'match[]={"hist.gram"}'), success([own]));
  });

  it('lists the series that have samples or histograms in the range, exactly', async () => {
    const names = async (query: string) => {
      const { data } = await get('/api/v1/series', query);
      return (data as Record<string, string>[]).map((labels) => `${labels['__name__']}/${labels['job']}`);
    };
    const all = 'match[]={job=~".%2b"}';
    assert.deepEqual(await names(all + range(T, T)), ['down/Two', 'up/one']);
    assert.deepEqual(await names(all + range(T + 1, T + HOUR)), ['hist.gram/one', 'up/one']);
    assert.deepEqual(await names(all + range(T + 15_001, T + HOUR - 1)), []);
    assert.deepEqual(await names(all + range(T + 2 * HOUR, T + 3 * HOUR)), ['up/two']);
    assert.deepEqual(await names(all + range(T + 3 * HOUR, T)), []);
    // One open side is exact as well; with both open everything that was ever announced counts.
    assert.deepEqual(await names(`${all}&start=${(T + 2 * HOUR) / 1000}`), ['up/two']);
    assert.deepEqual(await names(`${all}&end=${T / 1000}`), ['down/Two', 'up/one']);
    assert.deepEqual(await names(all), ['down/Two', 'hist.gram/one', 'up/one', 'up/two']);
  });

  it('lists label names, of all series or of some', async () => {
    assert.deepEqual(await get('/api/v1/labels'), success(['__name__', '__proto__', 'größe', 'instance', 'job']));
    assert.deepEqual(await get('/api/v1/labels', 'match[]=up', 'POST'), success(['__name__', 'instance', 'job']));
    assert.deepEqual(await get('/api/v1/labels', `match[]=up${range(T + HOUR, T + HOUR)}`), success([]));
    assert.deepEqual(await get('/api/v1/labels', `start=${(T + 72 * HOUR) / 1000}`), success([]));
  });

  it('lists values of a label, whatever its name', async () => {
    assert.deepEqual(await get('/api/v1/label/job/values'), success(['Two', 'one', 'two']));
    assert.deepEqual(await get('/api/v1/label/__name__/values'), success(['down', 'hist.gram', 'up']));
    assert.deepEqual(await get('/api/v1/label/U__gr_f6__df_e/values'), success(['x']));
    assert.deepEqual(await get(`/api/v1/label/${encodeURIComponent('größe')}/values`), success(['x']));
    assert.deepEqual(await get('/api/v1/label/__proto__/values', 'match[]={job="one"}'), success(['p']));
    assert.deepEqual(await get('/api/v1/label/job/values', `match[]=up${range(T, T)}`), success(['one']));
    assert.deepEqual(await get('/api/v1/label/nosuch/values'), success([]));
  });

  it('cuts lists with a warning, and only when there is more', async () => {
    const warnings = ['results truncated due to limit'];
    assert.deepEqual(await get('/api/v1/labels', 'limit=2'), { ...success(['__name__', '__proto__']), warnings });
    assert.deepEqual(
      await get('/api/v1/labels', 'limit=5'),
      success(['__name__', '__proto__', 'größe', 'instance', 'job']),
    );
    assert.deepEqual(await get('/api/v1/label/job/values', 'limit=1'), { ...success(['Two']), warnings });
    assert.deepEqual(await get('/api/v1/label/job/values', 'limit=1&match[]=up'), { ...success(['one']), warnings });
    assert.deepEqual(await get('/api/v1/series', 'limit=1&match[]=up'), {
      ...success([{ __name__: 'up', instance: 'a:1', job: 'one' }]),
      warnings,
    });
  });

  it('gives metadata by family, what is said now, the newest first', async () => {
    const gauge = { type: 'gauge', help: 'help "text"', unit: 's' };
    const counter = { type: 'counter', help: '', unit: '' };
    const down = { type: 'histogram', help: '', unit: '' };
    assert.deepEqual(await get('/api/v1/metadata'), success({ down: [down], up: [gauge, counter] }));
    assert.deepEqual(await get('/api/v1/metadata', 'metric=up&limit_per_metric=1'), success({ up: [gauge] }));
    assert.deepEqual(await get('/api/v1/metadata', 'limit=1'), success({ down: [down] }));
    assert.deepEqual(await get('/api/v1/metadata', 'metric=nosuch'), success({}));
  });

  it("answers for the request's organisation", async () => {
    assert.deepEqual((await get('/api/v1/labels', '', 'GET', 2))['data'], ['__name__', 'second']);
  });

  it('fails as Prometheus does', async () => {
    const bad = async (path: string, query: string, error: string | RegExp) => {
      const reply = await ask(api(database.store), { path, query: new URLSearchParams(query) });
      assert.equal(reply.status, 400);
      const body = JSON.parse((await bodyOf(reply)).toString()) as { status: string; errorType: string; error: string };
      assert.deepEqual([body.status, body.errorType], ['error', 'bad_data']);
      if (typeof error === 'string') assert.equal(body.error, error);
      else assert.match(body.error, error);
    };
    await bad('/api/v1/series', '', 'no match[] parameter provided');
    await bad(
      '/api/v1/series',
      'match[]={}',
      'invalid parameter "match[]": match[] must contain at least one non-empty matcher',
    );
    await bad('/api/v1/series', 'match[]=up{', /^invalid parameter "match\[\]": 1:4: parse error/);
    await bad(
      '/api/v1/series',
      'match[]=up&start=x',
      'invalid parameter "start": cannot parse "x" to a valid timestamp',
    );
    await bad('/api/v1/labels', 'limit=-1', 'invalid parameter "limit": limit must be non-negative');
    await bad('/api/v1/metadata', 'limit=x', 'limit must be a number');
  });

  it('says when the database is not there', async () => {
    const failing = (code: 'storage_unavailable' | 'storage_limit' | 'cancelled' | 'storage_refused') => async () => {
      const error = new SluiceError(code, 'cannot query the database: why');
      const store: Store = {
        engine: 'chdb',
        command: () => Promise.reject(error),
        select: () => Promise.reject(error),
        // oxlint-disable-next-line require-yield -- it fails before it has anything
        async *stream() {
          throw error;
        },
        close: () => Promise.resolve(),
      };
      const reply = await ask(api(store), { path: '/api/v1/labels' });
      return [reply.status, (JSON.parse((await bodyOf(reply)).toString()) as { errorType: string }).errorType];
    };
    assert.deepEqual(await failing('storage_unavailable')(), [503, 'unavailable']);
    assert.deepEqual(await failing('storage_limit')(), [422, 'execution']);
    assert.deepEqual(await failing('cancelled')(), [503, 'canceled']);
    assert.deepEqual(await failing('storage_refused')(), [500, 'internal']);
  });
});

function histogramAt(time: number) {
  const side = { spans: [], values: [] };
  const zeros = { schema: 0, resetHint: 0, count: 0n, zeroCount: 0n, sum: 0n, zeroThreshold: 0n, customValues: [] };
  return { time, isFloat: false, ...zeros, positive: side, negative: side };
}
