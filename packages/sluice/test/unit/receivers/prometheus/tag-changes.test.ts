import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { SluiceError } from '../../../../src/base/errors.ts';
import type { LabelList } from '../../../../src/base/label-fields.ts';
import type { SeriesTagger } from '../../../../src/base/ports.ts';
import { seriesTags } from '../../../../src/catalog/prometheus.ts';
import { TagChanges } from '../../../../src/receivers/prometheus/tag-changes.ts';
import { createLog } from '../../../../src/telemetry/log.ts';
import { createHarness, type Harness } from './harness.ts';
import { sample, seriesV1, snappy } from './wire.ts';

const WORDS = seriesTags.reduce((sum, { type }) => sum + (type === 'IPv6' ? 4 : 1), 0);
const POD = seriesTags.findIndex(({ name }) => name === 'pod_id');
const AGENT = seriesTags.findIndex(({ name }) => name === 'agent_id');

/** Tags series by their label pod: the pod's id is what the test says. */
class ToldTagger implements SeriesTagger {
  generation = 1;
  readonly pods = new Map<string, number>();
  readonly #numbers = new Map<string, number>();
  readonly #keys: string[] = [''];
  #listener: ((changed: readonly number[] | undefined) => void) | undefined;

  subjectOf(list: LabelList, bytes: Uint8Array, agent: number): number {
    const text = (start: number, end: number) => Buffer.from(bytes.slice(start, end)).toString();
    let pod = '';
    for (let i = 0; i < list.count; i++) {
      if (text(list.nameStart(i), list.nameEnd(i)) === 'pod') pod = text(list.valueStart(i), list.valueEnd(i));
    }
    if (pod === '') return 0;
    const key = `${agent} ${pod}`;
    if (!this.#numbers.has(key)) this.#numbers.set(key, this.#keys.push(key) - 1);
    return this.#numbers.get(key)!;
  }

  tagsOf(subject: number): Uint32Array {
    const row = new Uint32Array(WORDS);
    const [agent, pod] = (this.#keys[subject] ?? '').split(' ');
    if (pod === undefined) return row;
    row[POD] = this.pods.get(pod) ?? 0;
    row[AGENT] = Number(agent);
    return row;
  }

  signatureOf(subject: number): number {
    return subject === 0 ? 0 : this.tagsOf(subject)[POD]! + this.tagsOf(subject)[AGENT]! * 1000 + 1;
  }

  release(subjects: Iterable<number>): void {
    for (const subject of subjects) this.#numbers.delete(this.#keys[subject]!);
  }

  subjects(): Iterable<number> {
    return this.#numbers.values();
  }

  onChange(listener: (changed: readonly number[] | undefined) => void) {
    this.#listener = listener;
    return () => {
      this.#listener = undefined;
    };
  }

  put(pod: string, id: number): void {
    this.pods.set(pod, id);
    const changed = [...this.#numbers].filter(([key]) => key.endsWith(` ${pod}`)).map(([, subject]) => subject);
    this.#listener?.(changed);
  }

  voidAll(): void {
    this.generation++;
    this.#numbers.clear();
    this.#keys.length = 1;
    this.#listener?.(undefined);
  }
}

const BEGIN = 1_700_000_000_000;
const running: TagChanges[] = [];
after(async () => {
  for (const one of running) await one.stop();
});

async function bench() {
  const tagger = new ToldTagger();
  tagger.pods.set('a', 1).set('b', 2);
  const harness = createHarness({ tagger });
  harness.nowMs = BEGIN;
  const changes = new TagChanges({
    org: 1,
    series: harness.table,
    tagger,
    append: harness.append,
    metrics: harness.metrics,
    log: createLog({ level: 'silent' }),
    retryMs: 20,
    now: () => harness.nowMs,
  });
  running.push(changes);
  await changes.settle();
  return { tagger, harness, changes };
}

function body(...pods: readonly string[]): Buffer {
  const series = pods.map((pod, index) => {
    const own = pod === '' ? [] : [['pod', pod] as const];
    return seriesV1([['__name__', 'up'], ['i', String(index)], ...own], sample(BEGIN, 1));
  });
  return snappy(Buffer.concat(series));
}

const announced = (harness: Harness) =>
  (harness.rows.get('prometheus.series') ?? []).map((row) => [
    harness.labelsOf(row)['i'],
    row['pod_id'],
    row['agent_id'],
    Number(row['valid_from']) - BEGIN,
  ]);

describe('series whose tags change', () => {
  test('are announced with their tags, and the agent they came through', async () => {
    const { harness } = await bench();
    await harness.post(body('a', '', 'b'));
    await harness.receiver.forward(body('a', 'b', 'b', 'b'), 1, [], 9);
    assert.deepEqual(announced(harness), [
      ['0', 1, 0, 0],
      ['1', 0, 0, 0],
      ['2', 2, 0, 0],
      ['1', 2, 9, 0],
      ['3', 2, 9, 0],
    ]);
  });

  test('are announced again as another version, without a sample; others are not', async () => {
    const { harness, tagger, changes } = await bench();
    await harness.post(body('a', 'b', 'a', ''));
    harness.nowMs += 5000;
    tagger.put('a', 7);
    await changes.settle();
    assert.deepEqual(
      announced(harness)
        .slice(4)
        .toSorted(([left], [right]) => Number(left) - Number(right)),
      [
        ['0', 7, 0, 5000],
        ['2', 7, 0, 5000],
      ],
    );
    tagger.put('a', 7);
    await changes.settle();
    await harness.post(body('a', 'b', 'a', ''));
    assert.equal(announced(harness).length, 6);
  });

  test('are tried again when the journal refuses', async () => {
    const { harness, tagger, changes } = await bench();
    await harness.post(body('a'));
    harness.failure = new SluiceError('journal_full', 'full');
    tagger.put('a', 7);
    await changes.settle();
    assert.equal(announced(harness).length, 1);
    harness.failure = undefined;
    harness.nowMs += 100;
    while (announced(harness).length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    await changes.settle();
    assert.deepEqual(announced(harness).at(-1), ['0', 7, 0, 100]);
    assert.equal(announced(harness).length, 2);
  });

  test('are found in a large crowd without looking at the others, thousands of them too', async () => {
    const { harness, tagger, changes } = await bench();
    const pods = Array.from({ length: 6000 }, (_, index) => (index % 2 === 0 ? 'a' : `other-${index}`));
    await harness.post(body(...pods));
    let looked = 0;
    const labels = harness.table.labels.bind(harness.table);
    harness.table.labels = (series) => {
      looked++;
      return labels(series);
    };
    tagger.put('a', 7);
    await changes.settle();
    assert.equal(looked, 3000);
    assert.equal(announced(harness).filter(([, pod]) => pod === 7).length, 3000);
  });

  test('are gone through once when subjects are void', async () => {
    const { harness, tagger, changes } = await bench();
    await harness.post(body('a', 'b', ''));
    tagger.pods.set('b', 8);
    harness.nowMs += 10;
    tagger.voidAll();
    await changes.settle();
    assert.deepEqual(announced(harness).slice(3), [['1', 8, 0, 10]]);
    tagger.put('a', 5);
    await changes.settle();
    assert.deepEqual(announced(harness).at(-1), ['0', 5, 0, 10]);
  });

  test('subjects without series are given back', async () => {
    const { harness, tagger, changes } = await bench();
    await harness.post(body('a', 'b'));
    changes.tidy();
    assert.equal([...tagger.subjects()].length, 2);
    harness.nowMs += 2 * 3_600_000;
    for (const _ of harness.table.upkeep());
    changes.tidy();
    assert.equal([...tagger.subjects()].length, 0);
  });
});
