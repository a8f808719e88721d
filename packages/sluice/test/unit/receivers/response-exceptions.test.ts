import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ConstantText, constantsView } from '../../../src/batch/constant-text.ts';
import { exceptionText } from '../../../src/receivers/response-exceptions.ts';

/** Texts as DeepFlow's server has them: rows of both are searched by the same ones. */
const texts: readonly [protocol: number, code: number, text: string | undefined, isMqtt5?: boolean][] = [
  [20, 399, undefined],
  [20, 400, 'Bad Request'],
  [21, 418, "I'm a teapot (RFC 2324, RFC 7168)"],
  [20, 413, 'Payload Too Large (RFC 7231)'],
  [20, 511, 'Network Authentication Required (RFC 6585)'],
  [20, 499, undefined],
  [120, 0, 'No Error'],
  [120, 3, 'Non-Existent Domain'],
  [120, 11, 'available for assignment'],
  [120, 21, 'Algorithm not supported'],
  [120, 22, 'available for assignment'],
  [120, 3841, 'Private Use'],
  [120, 4095, 'Private Use'],
  [120, 4096, 'available for assignment'],
  [40, 20, 'OK'],
  [40, 21, undefined],
  [100, -1, 'The server experienced an unexpected error when processing the request.'],
  [100, 0, undefined],
  [100, 3, 'This server does not host this topic-partition.'],
  [100, 106, 'The fetch session encountered inconsistent topic ID usage'],
  [100, 107, undefined],
  [101, 5, 'not authorized'],
  [101, 128, undefined],
  [101, 0, undefined, true],
  [101, 4, 'Dissconnect with Will Message', true],
  [101, 162, 'Wildcard Subscriptions not supported', true],
  [80, 1, undefined],
];

function textOf({ start, end }: ConstantText): string {
  return Buffer.from(constantsView.buffer, constantsView.byteOffset + start, end - start).toString();
}

for (const [protocol, code, text, isMqtt5 = false] of texts) {
  test(`protocol ${protocol}, code ${code}${isMqtt5 ? ' of MQTT 5' : ''}`, () => {
    const found = exceptionText(protocol, code, isMqtt5);
    assert.equal(found === undefined ? undefined : textOf(found), text);
  });
}
