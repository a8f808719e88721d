import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { createTelegrafDecoder } from '../../../../src/receivers/telegraf/record.ts';
import { createMetrics } from '../../../../src/telemetry/metrics.ts';
import { BlockTarget, OPEN, SENDER } from '../block-target.ts';
import { recordedFrames } from '../recorded-frames.ts';
import type { Row } from '../row-values.ts';

const TABLE = 'ext_metrics.metrics';
const NOW = 1_700_000_000_123;

function fixture(window = OPEN) {
  const target = new BlockTarget(2, window, NOW);
  const metrics = createMetrics();
  const decoder = createTelegrafDecoder({ target, metrics, now: () => NOW });
  const decode = (text: string | Uint8Array) => {
    const frame = Buffer.concat([Buffer.from('x y='), Buffer.from(text), Buffer.from('9 8\nz')]);
    const outcome = decoder.decode(frame, 4, frame.length - 5, SENDER);
    assert.ok(outcome === undefined || typeof outcome === 'string');
    return outcome;
  };
  const dropped = async () => {
    const values = [...(await metrics.droppedRows.get()).values, ...(await metrics.droppedFields.get()).values];
    return Object.fromEntries(values.map(({ labels, value }) => [`${labels.input} ${labels.reason}`, value]));
  };
  return { target, decode, dropped };
}

/** What a line says. */
interface Point {
  readonly name: string;
  readonly tags: readonly (readonly [string, string])[];
  readonly fields: readonly (readonly [string, number])[];
  readonly time: number;
}

function points(rows: readonly Row[]): Point[] {
  return rows.map((row) => {
    const texts = (name: string) => row[name] as readonly string[];
    const values = row['metrics_float_values'] as readonly number[];
    return {
      name: String(row['virtual_table_name']),
      tags: texts('tag_names').map((name, index) => [name, texts('tag_values')[index]!] as const),
      fields: texts('metrics_float_names').map((name, index) => [name, values[index]!] as const),
      time: Number(row['time']),
    };
  });
}

function read(text: string): Point[] {
  const { target, decode } = fixture();
  assert.equal(decode(text), undefined);
  return points(target.take(TABLE));
}

test('a record of a stock agent', async () => {
  const [frame] = recordedFrames('TELEGRAF');
  const { target, decode, dropped } = fixture();
  const { text } = frame!.decoded.get(0) as { readonly text: string };
  assert.equal(Buffer.from(frame!.records[0]!).toString(), text);
  assert.equal(decode(frame!.records[0]!), undefined);
  const rows = target.take(TABLE);
  assert.deepEqual(points(rows), [
    {
      name: 'influxdb.cpu',
      tags: [
        ['cpu', 'cpu0'],
        ['host', 'h1-agent-host'],
      ],
      fields: [
        ['usage_idle', 97.5],
        ['usage_user', 2.5],
      ],
      time: 1_795_224_182,
    },
    {
      name: 'influxdb.mem',
      tags: [['host', 'h1-agent-host']],
      fields: [
        ['used', 1_234_567],
        ['available_percent', 81.2],
      ],
      time: 1_795_224_182,
    },
    {
      name: 'influxdb.redis x',
      tags: [
        ['server', '10.77.1.1'],
        ['port', '6379'],
      ],
      fields: [['clients', 3]],
      time: 1_795_224_182,
    },
  ]);
  assert.deepEqual(new Set(rows.map((row) => `${row['agent_id']} ${row['team_id']}`)), new Set(['12 3']));
  // A text and a boolean.
  assert.deepEqual(await dropped(), { 'telegraf no_number': 2 });
});

describe('lines', () => {
  const one = (fields: Point['fields'], more: Partial<Point> = {}): Point[] => [
    { name: 'influxdb.m', tags: [], fields, time: 1_700_000_000, ...more },
  ];
  const cases: readonly (readonly [what: string, line: string, expected: readonly Point[]])[] = [
    ['without a timestamp are of now', 'm a=1', one([['a', 1]])],
    ['end with CR LF as well', 'm a=1 5000000000\r\nm a=2\r\n', [...one([['a', 1]], { time: 5 }), ...one([['a', 2]])]],
    ['may have spaces around', '  m  a=1   5000000000  \n \n\t\n', one([['a', 1]], { time: 5 })],
    ['may be comments', '# m a=1\nm a=2\n  #m a=3', one([['a', 2]])],
    ['may be empty', '\n\n\nm a=2\n\n', one([['a', 2]])],
    [
      'have numbers of all kinds',
      'm a=1,b=-2.5e3,c=3i,d=18446744073709551615u,e=-7i',
      one([
        ['a', 1],
        ['b', -2500],
        ['c', 3],
        ['d', 18_446_744_073_709_552_000],
        ['e', -7],
      ]),
    ],
    [
      'have texts and booleans, too',
      'm a="x",b=1,c=t,d=T,e=true,f=True,g=TRUE,h=f,i=F,j=false,k=False,l=FALSE',
      one([['b', 1]]),
    ],
    [
      'have texts with anything in them',
      String.raw`m a="x, y=1 \" \\",b=2,c="\\",d="" 7000000000`,
      one([['b', 2]], { time: 7 }),
    ],
    ['have texts over several lines', 'm a="x\ny,z=1 2\n",b=2\nm c=3', [...one([['b', 2]]), ...one([['c', 3]])]],
    [
      'have escapes',
      String.raw`a\,b\ c\=d,t\=1\,\ =v\=\,\ x,u=\y f\=\,\ g=1`,
      one([['f=, g', 1]], {
        name: String.raw`influxdb.a,b c\=d`,
        tags: [
          ['t=1, ', 'v=, x'],
          ['u', String.raw`\y`],
        ],
      }),
    ],
    [
      'have backslashes that are none',
      String.raw`m\n,a=b\x,c=d\\x e=1`,
      one([['e', 1]], {
        name: String.raw`influxdb.m\n`,
        tags: [
          ['a', String.raw`b\x`],
          ['c', String.raw`d\\x`],
        ],
      }),
    ],
  ];
  for (const [what, line, expected] of cases) {
    test(what, () => assert.deepEqual(read(line), expected));
  }

  test('have times before 1970 and after 2106 that no row has', () => {
    const { target, decode } = fixture();
    assert.equal(decode('m a=1 -1\n'), 'too_old');
    assert.equal(decode('m a=1 4294967296000000000'), 'too_new');
    assert.deepEqual(target.take(TABLE), []);
  });
});

test('the pod is looked up by its name', () => {
  const { target, decode } = fixture();
  decode(
    String.raw`m,pod_name=cart-1,host=a a=1` + '\n' + String.raw`m,xpod_name=b,pod_name=we\ ird a=1` + '\nm,host=a a=1',
  );
  const { block } = target.blocks.get(`1/${TABLE}`)!;
  const column = block.column('pod_name_key');
  assert.deepEqual(
    [0, 1, 2].map((row) => Buffer.from(block.textAt(column, row)).toString()),
    ['cart-1', 'we ird', ''],
  );
});

describe('malformed lines', () => {
  const malformed = [
    'm',
    'm ',
    'm a',
    'm a=',
    'm a= 5',
    'm =1',
    'm a=1,',
    'm a=1,b',
    'm a=1 x',
    'm a=1 1.5',
    'm a=1 5 6',
    'm a=1 b=2',
    'm a=tru',
    'm a=1.2.3',
    'm a=1ii',
    'm a=-1u',
    'm a=9223372036854775808i',
    'm a=1 9223372036854775808',
    'm a=NaN',
    'm a="x',
    'm a="x"y',
    String.raw`m a="x\"`,
    'm, a=1',
    'm,a a=1',
    'm,a= a=1',
    'm,=b a=1',
    'm,a=b=c a=1',
    'm,a=1,a=2 a=1',
    'm,a=1,b=2,a=3 a=1',
    ',a=b c=1',
    ' ,c=1',
    '=1',
    `m${Array.from({ length: 257 }, (_, i) => `,t${i}=v`).join('')} a=1`,
  ];
  for (const line of malformed) {
    test(line.slice(0, 40), async () => {
      const { target, decode, dropped } = fixture();
      assert.equal(decode(line), 'malformed');
      assert.deepEqual(target.take(TABLE), []);
      assert.deepEqual(await dropped(), { 'telegraf malformed': 1 });
      // Neither the line before nor the one behind it is touched.
      assert.equal(decode(`m a=1,s="x" 5000000000\n${line}\nm,t=u b=2 6000000000`), undefined);
      assert.deepEqual(points(target.take(TABLE)), [
        { name: 'influxdb.m', tags: [], fields: [['a', 1]], time: 5 },
        { name: 'influxdb.m', tags: [['t', 'u']], fields: [['b', 2]], time: 6 },
      ]);
    });
  }

  test('so many tags are still taken', () => {
    const tags = Array.from({ length: 256 }, (_, i) => [`t${i}`, 'v'] as const);
    assert.deepEqual(read(`m${tags.map(([name]) => `,${name}=v`).join('')} a=1`)[0]?.tags, tags);
  });
});

test('lines without a number, and those outside of the accept window, are counted', async () => {
  const { target, decode, dropped } = fixture({ behindMs: 60_000, aheadMs: 10_000 });
  assert.equal(decode('m a="x",b=t'), 'no_number');
  const lines = [-60, -59, 10, 11].map((seconds) => `m a=1,b="x" ${1_700_000_000 + seconds}000000000`);
  assert.equal(decode(lines.join('\n')), undefined);
  assert.equal(target.take(TABLE).length, 2);
  assert.deepEqual(await dropped(), { 'telegraf no_number': 2, 'telegraf too_old': 1, 'telegraf too_new': 1 });
});

describe('random points', () => {
  // Without line feeds, which only texts in quotes may have, and backslashes: one before a separator would escape it.
  const word = (least: number) =>
    fc
      .string({ unit: 'grapheme', minLength: least, maxLength: 20 })
      .map((text) => text.replaceAll(/[\n\r\t\\#]/g, '_'));
  const escaped = (text: string, characters: RegExp) => text.replaceAll(characters, String.raw`\$&`);
  const name = word(1).filter((text) => text.trim() !== '' || !text.startsWith(' '));
  const value = fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => ({ text: String(number), number: number + 0 })),
    fc
      .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
      .map((number) => ({ text: `${number}i`, number: Number(number) })),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((number) => ({ text: `${number}u`, number: Number(number) })),
    fc.boolean().map((one) => ({ text: String(one), number: undefined })),
    fc
      .string({ unit: 'grapheme' })
      .map((text) => ({ text: `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`, number: undefined })),
  );
  const point = fc.record({
    name,
    tags: fc.uniqueArray(fc.tuple(word(1), word(1)), { maxLength: 4, selector: ([key]) => key }),
    fields: fc.array(fc.tuple(word(1), value), { minLength: 1, maxLength: 5 }),
    time: fc.option(fc.bigInt({ min: 0n, max: 4_294_967_295_999_999_999n }), { nil: undefined }),
  });

  test('come back as they were written', () => {
    const { target, decode } = fixture();
    fc.assert(
      fc.property(fc.array(point, { minLength: 1, maxLength: 4 }), (written) => {
        const text = written
          .map(({ name: measurement, tags, fields, time }) => {
            const key = (one: string) => escaped(one, /[,= ]/g);
            const head = [escaped(measurement, /[, ]/g), ...tags.map(([tag, what]) => `${key(tag)}=${key(what)}`)];
            const values = fields.map(([field, one]) => `${key(field)}=${one.text}`);
            return [head.join(','), values.join(','), ...(time === undefined ? [] : [time])].join(' ');
          })
          .join('\n');
        const expected = written
          .map(({ name: measurement, tags, fields, time }) => ({
            name: `influxdb.${measurement}`,
            tags,
            fields: fields.flatMap(([field, { number }]) => (number === undefined ? [] : [[field, number] as const])),
            time: time === undefined ? 1_700_000_000 : Number(time / 1_000_000_000n),
          }))
          .filter(({ fields }) => fields.length > 0);
        assert.equal(decode(text), expected.length > 0 ? undefined : 'no_number');
        assert.deepEqual(points(target.take(TABLE)), expected);
      }),
      { numRuns: 500 },
    );
  });

  test('any bytes are read to their end, and leave nothing behind', () => {
    const { target, decode } = fixture();
    const soup = fc.array(fc.constantFrom(...Array.from(String.raw`m,= "\ai1.5e-#`), '\n', '\r', '\t', '\0', 'é'), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 60 }),
          soup.map((parts) => Buffer.from(parts.join(''))),
        ),
        (noise) => {
          decode(noise);
          target.take(TABLE);
          decode(Buffer.concat([noise, Buffer.from('\nm,t=u a=1 5000000000')]));
          const rows = points(target.take(TABLE));
          // Unless a text in quotes that the noise began has taken the line in.
          if (!noise.includes(0x22)) {
            assert.deepEqual(rows.at(-1), { name: 'influxdb.m', tags: [['t', 'u']], fields: [['a', 1]], time: 5 });
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});
