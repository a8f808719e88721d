import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { inProcessProfile } from '../../../../src/catalog/profile.ts';
import { type PostedProfile, PostedProfiles } from '../../../../src/receivers/profile/posted-profile.ts';
import { RowIds } from '../../../../src/receivers/row-ids.ts';
import { BlockTarget, OPEN } from '../block-target.ts';
import { emptyRow, rowId } from '../empty-row.ts';
import type { Row } from '../row-values.ts';
import { encode, pprofMessage, type SampleSpec } from './pprof-message.ts';

const TABLE = inProcessProfile.id;
const FROM = 1_795_224_435;
const LIMITS = { bodyBytes: 1 << 20, decodedBytes: 1 << 20, rowBytes: 4 << 20, samples: 10_000 };

function fixture(limits: Partial<typeof LIMITS> = {}, window = OPEN) {
  const target = new BlockTarget(2, window, 1_795_224_500_999);
  const profiles = new PostedProfiles({ rowIds: new RowIds({ hubId: 3 }), limits: { ...LIMITS, ...limits } });
  const write = (data: Uint8Array | string, changes: Partial<PostedProfile> = {}) =>
    profiles.write(
      {
        name: 'shop{env=prod}',
        units: '',
        spyName: 'gospy',
        format: 'pprof',
        contentType: '',
        from: FROM,
        until: FROM + 10,
        address: Uint8Array.of(10, 0, 0, 1),
        pod: 0,
        pid: 0,
        data: Buffer.from(data),
        ...changes,
      },
      { target, org: 1, team: 3, agent: 12, nowMs: 1_795_224_500_999 },
    );
  return { target, profiles, write };
}

const row: Row = {
  ...emptyRow(inProcessProfile),
  time: FROM,
  app_service: 'shop',
  app_instance: 'shop',
  profile_language_type: 'Golang',
  profile_event_type: 'samples',
  profile_value_unit: 'count',
  profile_value: '1',
  profile_location_str: 'main',
  profile_create_timestamp: `${FROM}000000`,
  tag_names: ['env'],
  tag_values: ['prod'],
  is_ipv4: 1,
  ip4: '10.0.0.1',
  agent_id: 12,
  team_id: 3,
};

const types = [
  ['samples', 'count'],
  ['cpu', 'nanoseconds'],
] as const;

/** Rows without their ids. */
function taken(target: BlockTarget): Row[] {
  return target.take(TABLE).map((one) => ({ ...one, _id: '0' }));
}

/** Stack, event type, value. */
function brief(rows: readonly Row[]) {
  return rows.map((one) => [one['profile_location_str'], one['profile_event_type'], one['profile_value']]);
}

const form = (parts: Readonly<Record<string, Uint8Array | string>>) => ({
  contentType: 'multipart/form-data; boundary=xyz',
  data: Buffer.concat([
    ...Object.entries(parts).map(([name, content]) =>
      Buffer.concat([
        Buffer.from(`--xyz\r\ncontent-disposition: form-data; name="${name}"; filename="${name}.pprof"\r\n\r\n`),
        Buffer.from(content),
        Buffer.from('\r\n'),
      ]),
    ),
    Buffer.from('--xyz--\r\n'),
  ]),
});

describe('pprof', () => {
  const message = pprofMessage({
    types,
    samples: [
      { stack: ['main', 'handle', ['outer', 'inlined'], 'leaf;x'], values: [2, 20_000_000] },
      { stack: ['main'], values: [1, 0], tags: { span: 'abc' } },
      { stack: ['main', 'nothing'], values: [0, 0] },
      { stack: ['less'], values: [-1n, 9_007_199_254_740_993n] },
    ],
  });
  const expected: Row[] = [
    { ...row, profile_value: '2', profile_location_str: 'main;handle;outer;inlined;leaf:x' },
    {
      ...row,
      profile_value: '20000000',
      profile_location_str: 'main;handle;outer;inlined;leaf:x',
      profile_event_type: 'cpu',
      profile_value_unit: 'nanoseconds',
    },
    { ...row, tag_names: ['env', 'span'], tag_values: ['prod', 'abc'] },
    { ...row, profile_value: '-1', profile_location_str: 'less' },
    {
      ...row,
      profile_value: '9007199254740993',
      profile_location_str: 'less',
      profile_event_type: 'cpu',
      profile_value_unit: 'nanoseconds',
    },
  ];

  test('samples become a row for each type whose value is not 0', () => {
    const { target, write, profiles } = fixture();
    assert.equal(write(message), undefined);
    const rows = target.take(TABLE);
    assert.deepEqual(
      rows.map((one) => one['_id']),
      [1, 2, 3, 4, 5].map((counter) => rowId(FROM, (12 << 18) | counter)),
    );
    assert.deepEqual(
      rows.map((one) => ({ ...one, _id: '0' })),
      expected,
    );
    assert.equal(profiles.taken, 5);
  });

  test('may be gzip, or in a form', () => {
    const { target, write } = fixture();
    assert.equal(write(gzipSync(message)), undefined);
    assert.deepEqual(taken(target), expected);
    const posted = form({ profile: gzipSync(message) });
    assert.equal(write('', { ...posted, format: '' }), undefined);
    assert.deepEqual(taken(target), expected);
  });

  test('ids may be any numbers', () => {
    const { target, write } = fixture();
    const samples: SampleSpec[] = ['a', 'b', 'c'].map((name, i) => ({ stack: ['main', name], values: [i + 1] }));
    for (const firstId of [0n, 2n ** 53n, 2n ** 64n - 10n]) {
      assert.equal(write(pprofMessage({ types: [['samples', 'count']], samples, firstId })), undefined);
      assert.deepEqual(brief(taken(target)), [
        ['main;a', 'samples', '1'],
        ['main;b', 'samples', '2'],
        ['main;c', 'samples', '3'],
      ]);
    }
  });

  test('addresses stand for functions that are not known', () => {
    const { target, write } = fixture();
    const location = [
      { id: 1, address: '255' },
      { id: 2, address: '18446744073709551615', line: [{ function_id: 9 }] },
    ];
    const sample = [{ location_id: [1, 2], value: [5] }];
    assert.equal(write(encode({ sample_type: [{}], sample, location, string_table: [''] })), undefined);
    assert.deepEqual(brief(taken(target)), [['0xffffffffffffffff;0xff', 'third-party', '5']]);
  });

  test('the event type and unit are those of the profile, else those of the request', () => {
    const { target, write } = fixture();
    const samples = [{ stack: ['main'], values: [1] }];
    assert.equal(
      write(pprofMessage({ types: [['', '']], samples }), { name: 'shop.cpu', units: 'samples' }),
      undefined,
    );
    assert.deepEqual(taken(target), [
      { ...row, profile_event_type: 'cpu', profile_value_unit: 'samples', tag_names: [], tag_values: [] },
    ]);
    assert.equal(
      write(pprofMessage({ types, samples: [{ stack: ['main'], values: [1, 0] }] }), {
        name: 'shop.cpu{env=prod}',
        units: 'x',
      }),
      undefined,
    );
    assert.deepEqual(taken(target), [row]);
  });

  test('a form may say which types are wanted, and as what', () => {
    const { target, write } = fixture();
    const config = { samples: { 'display-name': 'cpu', units: 'samples' }, other: {} };
    const parts = { profile: message, sample_type_config: JSON.stringify(config) };
    assert.equal(write('', form(parts)), undefined);
    assert.deepEqual(
      taken(target).map((one) => [one['profile_event_type'], one['profile_value_unit'], one['profile_value']]),
      [
        ['cpu', 'samples', '2'],
        ['cpu', 'samples', '1'],
        ['cpu', 'samples', '-1'],
      ],
    );
    assert.equal(write('', form({ ...parts, sample_type_config: '{' })), 'malformed');
    assert.equal(write('', form({ ...parts, sample_type_config: '[]' })), 'malformed');
  });

  test('cumulative values are what was added since the profile before', () => {
    const { target, write } = fixture();
    const memory = [
      ['alloc_space', 'bytes'],
      ['inuse_space', 'bytes'],
    ] as const;
    const before = pprofMessage({
      types: memory,
      samples: [
        { stack: ['main', 'a'], values: [100, 50] },
        { stack: ['main', 'a'], values: [10, 5] },
        { stack: ['main', 'b'], values: [7, 7] },
        { stack: ['main', 'c'], values: [1000, 1] },
      ],
    });
    const profile = pprofMessage({
      types: memory,
      samples: [
        { stack: ['main', 'new'], values: [3, 3] },
        { stack: ['main', 'a'], values: [60, 0] },
        { stack: ['main', 'a'], values: [90, 55] },
        { stack: ['main', 'b'], values: [7, 7] },
        { stack: ['main', 'a'], values: [9, 0], tags: { t: 'u' } },
        { stack: ['main', 'c'], values: [1, 0] },
      ],
    });
    const config = { alloc_space: { cumulative: true }, inuse_space: {} };
    const parts = { profile, prev_profile: gzipSync(before), sample_type_config: JSON.stringify(config) };
    assert.equal(write('', form(parts)), undefined);
    assert.deepEqual(brief(taken(target)), [
      ['main;new', 'alloc_space', '3'],
      ['main;new', 'inuse_space', '3'],
      ['main;a', 'alloc_space', '40'],
      ['main;a', 'inuse_space', '55'],
      ['main;b', 'inuse_space', '7'],
      ['main;a', 'alloc_space', '9'],
    ]);
    assert.equal(write('', form({ ...parts, prev_profile: 'x' })), 'malformed');
    assert.equal(write('', form({ ...parts, prev_profile: message })), 'malformed');
  });

  test('broken samples cost themselves', () => {
    const { target, write, profiles } = fixture();
    const location = [{ id: 1, line: [{ function_id: 1 }] }];
    const sample = [
      { location_id: [1], value: [1] },
      { location_id: [2], value: [1] },
      { location_id: [1], value: [1, 2] },
      { location_id: [1] },
      { value: [1] },
      { location_id: [1], value: [2] },
    ];
    const whole = { sample_type: [{}], location, function: [{ id: 1, name: 1 }], string_table: ['', 'f'] };
    assert.equal(write(encode({ ...whole, sample })), undefined);
    assert.deepEqual(
      brief(taken(target)).map(([stack, , value]) => [stack, value]),
      [
        ['f', '1'],
        ['f', '2'],
      ],
    );
    assert.equal(profiles.malformed, 4);
    assert.equal(write(encode({ ...whole, sample: sample.slice(1, 4) })), 'malformed');
    assert.equal(write(encode({ ...whole, sample: [] })), undefined, 'nothing happened');
    assert.equal(profiles.malformed, 0);
  });

  test('deep stacks keep their outermost frames', () => {
    const { target, write, profiles } = fixture();
    const types1 = [['samples', 'count']] as const;
    const stack = Array.from({ length: 1500 }, (_, i) => `f${i}`);
    assert.equal(write(pprofMessage({ types: types1, samples: [{ stack, values: [1] }] })), undefined);
    const [deep] = taken(target);
    assert.equal(deep?.['profile_location_str'], stack.slice(0, 1024).join(';'));
    assert.equal(profiles.cut, 1);
    const wide = Array.from({ length: 100 }, (_, i) => `${i}`.padEnd(1000, 'x'));
    assert.equal(write(pprofMessage({ types: types1, samples: [{ stack: wide, values: [1] }] })), undefined);
    assert.equal(taken(target)[0]?.['profile_location_str'], wide.slice(0, 65).join(';'));
    assert.equal(profiles.cut, 1);
    const long = 'y'.repeat(10_000);
    assert.equal(
      write(pprofMessage({ types: types1, samples: [{ stack: [[long, 'z', long]], values: [1] }] })),
      undefined,
    );
    assert.equal(taken(target)[0]?.['profile_location_str'], `${long.slice(0, 4096)};z`);
  });

  test('has limits', () => {
    const samples = Array.from({ length: 100 }, (_, i) => ({ stack: ['main', `f${i}`], values: [i, i] }));
    const profile = pprofMessage({ types, samples });
    assert.equal(fixture({ samples: 199 }).write(profile), 'too_large');
    assert.equal(fixture({ samples: 200 }).write(profile), undefined);
    assert.equal(fixture({ rowBytes: 20_000 }).write(profile), 'too_large');
    assert.equal(fixture({ decodedBytes: profile.length - 1 }).write(profile), 'too_large');
    assert.equal(fixture({ decodedBytes: profile.length - 1 }).write(gzipSync(profile)), 'too_large');
    assert.equal(fixture({ decodedBytes: profile.length }).write(gzipSync(profile)), undefined);
    const config = JSON.stringify({ samples: { cumulative: true } });
    const parts = { profile: pprofMessage({ types, samples: [] }), prev_profile: profile, sample_type_config: config };
    assert.equal(fixture({ rowBytes: 3000 }).write('', form(parts)), 'too_large');
    assert.equal(fixture({ rowBytes: 8000 }).write('', form(parts)), undefined);
  });

  test('names that would take all memory make it too large', () => {
    const name = 'n'.repeat(4000);
    const location = Array.from({ length: 20_000 }, (_, i) => ({
      id: i + 1,
      line: [{ function_id: 1 }, { function_id: 1 }],
    }));
    const sample = location.map(({ id }) => ({ location_id: [id], value: [1] }));
    const profile = encode({
      sample_type: [{}],
      sample,
      location,
      function: [{ id: 1, name: 1 }],
      string_table: ['', name],
    });
    const { write } = fixture({ samples: 1e6, rowBytes: 1e9, decodedBytes: 1e9 });
    assert.equal(write(profile), 'too_large');
  });

  test('what is none is malformed', () => {
    const { target, write } = fixture();
    assert.equal(write('fakeprof'), 'malformed');
    assert.equal(write(Buffer.from([0x1f, 0x8b, 0x26, 0x66])), 'malformed');
    assert.equal(write(gzipSync('fakeprof')), 'malformed');
    assert.equal(write(''), 'malformed');
    assert.equal(write(encode({ string_table: [''] })), 'malformed', 'no sample type');
    assert.equal(write('', form({ profile: 'x' })), 'malformed');
    assert.equal(write('', form({ other: 'x' })), 'malformed');
    assert.equal(write('no form', { contentType: 'multipart/form-data; boundary=x' }), 'malformed');
    assert.deepEqual(target.take(TABLE), []);
  });
});

describe('stacks as text', () => {
  const folded = { format: 'folded', spyName: 'pyspy', name: 'app.wall{app_instance=i-1}' };
  const base = {
    ...row,
    app_service: 'app',
    app_instance: 'i-1',
    profile_language_type: 'python',
    profile_event_type: 'wall',
    profile_value_unit: 'samples',
    tag_names: ['app_instance'],
    tag_values: ['i-1'],
  };

  test('with counts', () => {
    for (const format of ['folded', 'collapsed', 'groups', '']) {
      const { target, write } = fixture();
      assert.equal(write('main;handler;render it 12\r\nmain;db 30\n\nmain;none 0', { ...folded, format }), undefined);
      assert.deepEqual(taken(target), [
        { ...base, profile_location_str: 'main;handler;render it', profile_value: '12' },
        { ...base, profile_location_str: 'main;db', profile_value: '30' },
      ]);
    }
  });

  test('without counts', () => {
    const { target, write } = fixture();
    assert.equal(write('main;a 1\nmain\n', { ...folded, format: 'lines', units: 'ticks', name: 'x.y' }), undefined);
    assert.deepEqual(
      taken(target).map((one) => [
        one['profile_location_str'],
        one['profile_value'],
        one['profile_value_unit'],
        one['profile_event_type'],
        one['app_service'],
      ]),
      [
        ['main;a 1', '1', 'ticks', 'third-party', 'x.y'],
        ['main', '1', 'ticks', 'third-party', 'x.y'],
      ],
    );
  });

  test('broken lines cost themselves', () => {
    const { target, write, profiles } = fixture();
    assert.equal(
      write(`a 1\nb\nc x\n 5\nd 1.5\ne -1\nf 1234567890123456\n${'g'.repeat(65_537)} 1\nh 999999999999999`, folded),
      undefined,
    );
    assert.deepEqual(brief(taken(target)), [
      ['a', 'wall', '1'],
      ['h', 'wall', '999999999999999'],
    ]);
    assert.equal(profiles.malformed, 7);
    assert.equal(write('nothing', folded), 'malformed');
    assert.equal(write('', folded), undefined);
  });

  test('have limits', () => {
    assert.equal(fixture({ samples: 2 }).write('a 1\nb 1\nc 1', folded), 'too_large');
    assert.equal(fixture({ samples: 3 }).write('a 1\nb 1\nc 1', folded), undefined);
    assert.equal(fixture({ rowBytes: 600 }).write('a 1\nb 1\nc 1', folded), 'too_large');
  });
});

test('formats that are not read', () => {
  const { target, write } = fixture();
  for (const format of ['jfr', 'tree', 'trie', 'speedscope', 'PPROF', 'constructor']) {
    assert.equal(write('x 1', { format }), 'unsupported_format', format);
  }
  assert.equal(write('', { ...form({ jfr: 'x', labels: 'y' }), format: 'jfr' }), 'unsupported_format');
  assert.deepEqual(target.take(TABLE), []);
});

describe('the time', () => {
  const time = (changes: Partial<PostedProfile>, timeNanos = 0n) => {
    const { target, write } = fixture();
    const data = pprofMessage({ types, samples: [{ stack: ['m'], values: [1, 0] }], timeNanos });
    assert.equal(write(data, changes), undefined);
    return target.take(TABLE)[0]?.['time'];
  };

  test('is that of the request, else that of the profile, else now', () => {
    assert.equal(time({}), FROM);
    assert.equal(time({ from: 0 }), FROM + 10);
    assert.equal(time({ from: 0, until: 0 }, 1_795_000_000_999_999_999n), 1_795_000_000);
    assert.equal(time({ from: 0, until: 0 }), 1_795_224_500);
  });

  test('out of the window', () => {
    const { target, write } = fixture({}, { behindMs: 100_000, aheadMs: 10_000 });
    assert.equal(write('a 1', { format: 'folded', from: FROM - 40 }), 'too_old');
    assert.equal(write('a 1', { format: 'folded', from: FROM + 80 }), 'too_new');
    assert.equal(write('a 1', { format: 'folded' }), undefined);
    assert.equal(target.take(TABLE).length, 1);
  });
});

test('random profiles come back as they were written', () => {
  const { target, write } = fixture();
  const word = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 });
  const name = word.map((text) => text.replaceAll(';', ','));
  const sample = fc.record({
    stack: fc.array(fc.oneof(name, fc.array(name, { minLength: 1, maxLength: 3 })), { minLength: 1, maxLength: 8 }),
    values: fc.tuple(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.bigInt({ min: 0n, max: 200n })),
    tags: fc.dictionary(word, word, { noNullPrototype: true, maxKeys: 3 }),
  });
  fc.assert(
    fc.property(fc.array(sample, { maxLength: 6 }), fc.boolean(), (samples, isZipped) => {
      const message = pprofMessage({ types, samples });
      assert.equal(write(isZipped ? gzipSync(message) : message), undefined);
      const expected = samples.flatMap(({ stack, values, tags }) =>
        values.flatMap((value, index) =>
          value === 0n
            ? []
            : [
                {
                  ...row,
                  profile_location_str: stack.flat().join(';'),
                  profile_event_type: types[index]![0],
                  profile_value_unit: types[index]![1],
                  profile_value: String(value),
                  tag_names: ['env', ...Object.keys(tags)],
                  tag_values: ['prod', ...Object.values(tags)],
                },
              ],
        ),
      );
      assert.deepEqual(taken(target), expected);
    }),
  );
});

test('any bytes are read or refused, and leave nothing behind', () => {
  const { target, write } = fixture();
  const good = pprofMessage({ types, samples: [{ stack: ['main', ['a', 'b']], values: [1, 2], tags: { t: 'u' } }] });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(), fc.constantFrom('pprof', 'folded'), (noise, at, format) => {
      write(noise, { format });
      const damaged = Buffer.from(good);
      damaged[at % damaged.length] = noise[0] ?? 0;
      write(damaged);
      write('', form({ profile: damaged, prev_profile: noise, sample_type_config: '{"cpu":{"cumulative":true}}' }));
      taken(target);
      assert.equal(write('main 1', { format: 'folded', units: 'count', name: 'shop.samples{env=prod}' }), undefined);
      assert.deepEqual(taken(target), [row]);
    }),
    { numRuns: 1000 },
  );
});
