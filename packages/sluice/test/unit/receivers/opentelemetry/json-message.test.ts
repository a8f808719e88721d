import assert from 'node:assert/strict';
import { it } from 'node:test';
import { messageOfJson } from '../../../../src/receivers/opentelemetry/json-message.ts';

const read = (value: unknown) => messageOfJson(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)));
const spanWith = (span: unknown) => ({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] });

it('takes names for numbers, numbers for texts, and nothing for null', () => {
  const short = read(spanWith({ kind: 3, endTimeUnixNano: '5', status: { code: 2 }, attributes: null }));
  const long = read({
    resourceSpans: [
      {
        resource: null,
        scopeSpans: [
          {
            spans: [
              { kind: 'SPAN_KIND_CLIENT', endTimeUnixNano: 5, status: { code: 'STATUS_CODE_ERROR' }, later: [1] },
            ],
          },
        ],
      },
    ],
  });
  assert.deepEqual(short, long);
  assert.equal(read({}).length, 0);
});

it('names the place of what is wrong', () => {
  const place = '$.resourceSpans[0].scopeSpans[0].spans[0]';
  const cases: [value: unknown, message: string][] = [
    ['{"resourceSpans"', 'expected JSON'],
    [[], 'expected an object at $; got []'],
    [{ resourceSpans: {} }, 'expected an array at $.resourceSpans; got {}'],
    [spanWith({ traceId: 'xyz' }), `expected an id in hexadecimal at ${place}.traceId; got "xyz"`],
    [
      spanWith({ endTimeUnixNano: 1.5 }),
      `expected a whole number, as a number or a text at ${place}.endTimeUnixNano; got 1.5`,
    ],
    [spanWith({ name: 5 }), `expected a text at ${place}.name; got 5`],
    [
      spanWith({ attributes: [{ key: 'k', value: { boolValue: 'yes' } }] }),
      `expected true or false at ${place}.attributes[0].value.boolValue; got "yes"`,
    ],
    [
      spanWith({ attributes: [{ key: 'k', value: { doubleValue: 'many' } }] }),
      `expected a number at ${place}.attributes[0].value.doubleValue; got "many"`,
    ],
  ];
  for (const [value, message] of cases) {
    assert.throws(
      () => read(value),
      (error: Error & { readonly code?: string }) => error.code === 'bad_request' && error.message.includes(message),
      message,
    );
  }
});

it('refuses values that go too deep', () => {
  let value: unknown = { intValue: 1 };
  for (let depth = 0; depth < 40; depth++) value = { arrayValue: { values: [value] } };
  assert.throws(() => read(spanWith({ attributes: [{ key: 'k', value }] })), /at most 32 values within each other/);
});
