import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SluiceError } from '../../../../src/base/errors.ts';
import type { Batch } from '../../../../src/batch/batch.ts';
import { RowBlock } from '../../../../src/batch/row-block.ts';
import { findDataSource } from '../../../../src/catalog/catalog.ts';
import { FieldWatch } from '../../../../src/tags/fields/field-watch.ts';
import { observeFields } from '../../../../src/tags/fields/observe-fields.ts';
import { createMetrics } from '../../../../src/telemetry/metrics.ts';
import { rowsOf, type Row } from '../../receivers/prometheus/harness.ts';

const HOUR_S = 3600;
const NOON_S = 1_700_049_600;

interface Written {
  readonly timeS?: number;
  readonly texts?: Readonly<Record<string, string>>;
  readonly numbers?: Readonly<Record<string, number>>;
  readonly lists?: Readonly<Record<string, readonly string[]>>;
}

function batchOf(source: string, rows: readonly Written[], org = 1): Batch {
  const block = new RowBlock(findDataSource(source)!, 4);
  for (const { timeS = NOON_S + 90, texts = {}, numbers = {}, lists = {} } of rows) {
    block.setNumber(block.column('time'), timeS);
    for (const [name, text] of Object.entries(texts)) block.setText(block.column(name), text);
    for (const [name, value] of Object.entries(numbers)) block.setNumber(block.column(name), value);
    for (const [name, all] of Object.entries(lists)) for (const one of all) block.pushText(block.column(name), one);
    block.commit(timeS * 1000);
  }
  return block.finish(org);
}

function bench(watch = new FieldWatch()) {
  const state = { now: NOON_S * 1000, failures: [] as Error[] };
  const appends: { readonly tables: readonly string[]; readonly noted: readonly Row[] }[] = [];
  const metrics = createMetrics();
  const append = observeFields({
    append: async (batches) => {
      await Promise.resolve();
      const failure = state.failures.shift();
      if (failure !== undefined) throw failure;
      appends.push({
        tables: batches.map(({ source }) => source.id),
        noted: batches.filter(({ source }) => source.id === 'flow_tag.observed_field').flatMap((one) => rowsOf(one)),
      });
    },
    metrics,
    watch,
    now: () => state.now,
  });
  const look = async (...batches: Batch[]): Promise<string[]> => {
    await append(batches);
    return appends.at(-1)!.noted.map((row) => shown(row));
  };
  const leftOut = async () =>
    Object.fromEntries(
      (await metrics.tagFieldsLeftOut.get()).values.map(({ labels, value }) => [labels.reason, value]),
    );
  return { state, appends, append, look, leftOut };
}

function shown(row: Row): string {
  const { database, record, table_name: table, field_type: type, field_name: name, field_value: value } = row;
  return `${database}.${table} ${record} ${type} ${name}${record === 'field' ? '' : `=${value}`}`;
}

const span = (names: readonly string[], values: readonly string[], more: Written = {}): Written => ({
  ...more,
  lists: { attribute_names: names, attribute_values: values, metrics_names: ['bytes'] },
});

describe('custom fields of rows', () => {
  test('are noted in the same append as the first row that has them, once in an hour', async () => {
    const { appends, look } = bench();
    const row = span(['http.route', 'user'], ['/cart', 'anna'], { texts: { app_service: 'shop', endpoint: '/v1' } });
    const l7 = batchOf('flow_log.l7_flow_log', [row, row]);
    assert.deepEqual(await look(l7), [
      'flow_log.l7_flow_log application tag shop=',
      'flow_log.l7_flow_log field tag http.route',
      'flow_log.l7_flow_log field tag user',
      'flow_log.l7_flow_log value tag http.route=/cart',
      'flow_log.l7_flow_log value tag user=anna',
      'flow_log.l7_flow_log field metrics bytes',
      'flow_log.l7_flow_log value tag app_service=shop',
      'flow_log.l7_flow_log value tag endpoint=/v1',
    ]);
    assert.deepEqual(appends[0]!.tables, ['flow_log.l7_flow_log', 'flow_tag.observed_field']);
    assert.deepEqual(await look(l7), []);
    assert.deepEqual(appends[1]!.tables, ['flow_log.l7_flow_log']);
    const other = batchOf('flow_log.l7_flow_log', [row, span(['user'], ['berta'])]);
    assert.deepEqual(await look(other), ['flow_log.l7_flow_log value tag user=berta']);
  });

  test('say when, and where they were seen first', async () => {
    const { appends, append } = bench();
    const numbers = { l3_epc_id_0: -2, pod_ns_id_0: 7, team_id: 3 };
    await append([batchOf('flow_log.l7_flow_log', [{ ...span(['a'], ['b']), numbers }])]);
    const [row] = appends[0]!.noted;
    assert.deepEqual(
      [row!['time'], row!['vpc_id'], row!['pod_ns_id'], row!['team_id'], row!['count'], row!['field_value_type']],
      [NOON_S, -2, 7, 3, 1n, 'string'],
    );
  });

  test('of another hour, organisation or table are others', async () => {
    const { state, look } = bench();
    const row = span(['a'], ['b']);
    const first = await look(batchOf('flow_log.l7_flow_log', [row]));
    assert.equal(first.length, 3);
    assert.deepEqual(await look(batchOf('flow_log.l7_flow_log', [row], 2)), first);
    assert.deepEqual(await look(batchOf('flow_log.l7_flow_log', [{ ...row, timeS: NOON_S - 1 }])), first);
    assert.deepEqual(await look(batchOf('application_log.log', [row])), [
      'application_log.log field tag a',
      'application_log.log value tag a=b',
      'application_log.log field metrics bytes',
    ]);
    assert.deepEqual(await look(batchOf('flow_log.l7_flow_log', [row])), []);
    state.now += HOUR_S * 1000;
    assert.deepEqual(await look(batchOf('flow_log.l7_flow_log', [row])), first);
  });

  test('bear the names of virtual tables, and of kinds of profiles', async () => {
    const { look } = bench();
    const lists = { tag_names: ['host'], tag_values: ['db-1'], metrics_float_names: ['load1', 'load5'] };
    const rows = ['influxdb.cpu', 'influxdb.mem'].map((name) => ({ texts: { virtual_table_name: name }, lists }));
    const expected = rows.flatMap(({ texts: { virtual_table_name: name } }) =>
      [`field tag host`, 'value tag host=db-1', 'field metrics load1', 'field metrics load5'].map(
        (one) => `ext_metrics.${name} ${one}`,
      ),
    );
    assert.deepEqual(await look(batchOf('ext_metrics.metrics', rows)), expected);
    const profile: Written = {
      texts: { profile_language_type: 'Golang', profile_event_type: 'on-cpu', app_service: 'shop', app_instance: 'i1' },
      lists: { tag_names: ['version', 'empty'], tag_values: ['2', ''] },
    };
    assert.deepEqual(await look(batchOf('profile.in_process', [profile])), [
      'profile.in_process application tag shop=i1',
      'profile.Golang.on-cpu field tag version',
      'profile.Golang.on-cpu field tag empty',
      'profile.Golang.on-cpu value tag version=2',
    ]);
    assert.deepEqual(
      await look(batchOf('deepflow_tenant.deepflow_collector', [rows[0]!])),
      expected.slice(0, 4).map((one) => one.replace('ext_metrics', 'deepflow_tenant')),
    );
    const document = { texts: { app_service: 'shop', app_instance: 'i2' } };
    assert.deepEqual(await look(batchOf('flow_metrics.application.1m', [document, { texts: {} }])), [
      'flow_metrics.application application tag shop=i2',
    ]);
    assert.deepEqual(await look(batchOf('flow_metrics.network.1m', [{}])), []);
  });

  test('have no more values than there is room for, and what is left out is counted', async () => {
    const { look, leftOut } = bench(new FieldWatch({ names: 4, values: 4, valuesOfName: 2 }));
    const log = 'application_log.log';
    const row = (names: readonly string[], values: readonly string[]): Written => ({
      lists: { attribute_names: names, attribute_values: values },
    });
    const noted = (...expected: readonly string[]) => expected.map((one) => `${log} ${one}`);
    const ids = ['0', '1', '2', '3'].map((id) => row(['id'], [id]));
    assert.deepEqual(await look(batchOf(log, ids)), noted('field tag id', 'value tag id=0', 'value tag id=1'));
    assert.deepEqual(await leftOut(), { values: 2 });
    const long = row(['text', 'third', 'fourth', 'fifth'], ['x'.repeat(1025), '3', '4', '5']);
    assert.deepEqual(
      await look(batchOf(log, [long, long, row(['third'], ['6'])])),
      noted('field tag text', 'field tag third', 'field tag fourth', 'value tag third=3', 'value tag fourth=4'),
    );
    assert.deepEqual(await leftOut(), { values: 2, long: 2, room: 2 });
  });

  test('wait for the next append when the journal refuses them', async () => {
    const { state, appends, append, look } = bench();
    const l7 = batchOf('flow_log.l7_flow_log', [span(['a'], ['b'])]);
    state.failures.push(new SluiceError('journal_failed', 'cannot write'));
    await assert.rejects(append([l7]), { code: 'journal_failed' });
    assert.equal(appends.length, 0);
    assert.equal((await look(l7)).length, 3);
    assert.deepEqual(await look(l7), []);
  });

  test('are counted where there is no room for them to wait', async () => {
    const { state, append, look, leftOut } = bench();
    const many = (letter: string) => {
      const names = Array.from({ length: 20_000 }, (_, i) => `${letter}${i}`);
      return batchOf('application_log.log', [{ lists: { attribute_names: names, attribute_values: names } }]);
    };
    for (let i = 0; i < 2; i++) state.failures.push(new SluiceError('journal_failed', 'cannot write'));
    await Promise.allSettled([append([many('a')]), append([many('b')])]);
    assert.deepEqual(await leftOut(), { journal: 40_000 });
    assert.equal((await look(batchOf('application_log.log', [{}]))).length, 40_000);
  });

  test('are no reason to refuse the rows themselves', async () => {
    const { state, appends, append, look } = bench();
    const l7 = batchOf('flow_log.l7_flow_log', [span(['a'], ['b'])]);
    state.failures.push(new SluiceError('journal_full', 'full'));
    await append([l7]);
    assert.deepEqual(appends[0]!.tables, ['flow_log.l7_flow_log']);
    assert.equal((await look(l7)).length, 3);
  });

  test('are all noted, however many there are', async () => {
    const { look } = bench();
    const names = Array.from({ length: 9000 }, (_, i) => `name-${i}`);
    const batch = batchOf('application_log.log', [{ lists: { attribute_names: names, attribute_values: names } }]);
    const noted = await look(batch);
    assert.equal(new Set(noted).size, 18_000);
    assert.deepEqual(await look(batch), []);
  });
});
