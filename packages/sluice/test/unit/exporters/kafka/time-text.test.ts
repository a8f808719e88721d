import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { fineTimes, secondTimes, TIME_TEXT_BYTES, TimeText } from '../../../../src/exporters/kafka/time-text.ts';

const bytes = new Uint8Array(TIME_TEXT_BYTES + 8);
const text = new TimeText();

function micros(value: number) {
  const times = fineTimes(Uint32Array.from([value % 2 ** 32, Math.floor(value / 2 ** 32)]), 6);
  return { text: Buffer.from(bytes.subarray(0, times.put(text, bytes, 0, 0))).toString(), times };
}

describe('time of a row', () => {
  it('is written as Go prints it', () => {
    const known: readonly [number, string][] = [
      [1_700_000_000_126_913, '2023-11-14 22:13:20.126913'],
      [1_700_000_001_133_580, '2023-11-14 22:13:21.13358'],
      [1_700_000_001_000_000, '2023-11-14 22:13:21'],
      [1_700_000_001_000_001, '2023-11-14 22:13:21.000001'],
      [0, '1970-01-01 00:00:00'],
      [951_782_399_999_999, '2000-02-28 23:59:59.999999'],
      [951_782_400_000_000, '2000-02-29 00:00:00'],
    ];
    for (const [value, expected] of known) assert.equal(micros(value).text, `,"time_str":"${expected} +0000 UTC"}`);
  });

  it('agrees with Date, to the millisecond', () => {
    fc.assert(
      fc.property(fc.nat(9_007_199_254_000), fc.nat(999), (ms, micro) => {
        const { text: got, times } = micros(ms * 1000 + micro);
        const [date, time] = new Date(ms).toISOString().slice(0, -1).split('T');
        const digits = `${time}${String(micro).padStart(3, '0')}`.replace(/\.?0+$/, (zeros) =>
          zeros.includes('.') ? '' : zeros.slice(0, 0),
        );
        assert.equal(got, `,"time_str":"${date} ${digits.includes('.') ? digits : time!.slice(0, 8)} +0000 UTC"}`);
        assert.equal(times.milliseconds(0), ms);
      }),
    );
  });

  it('is in seconds where rows have no more', () => {
    const times = secondTimes(Uint32Array.from([0, 4_294_967_295]));
    assert.equal(
      Buffer.from(bytes.subarray(0, times.put(text, bytes, 0, 1))).toString(),
      ',"time_str":"2106-02-07 06:28:15 +0000 UTC"}',
    );
    assert.equal(times.milliseconds(1), 4_294_967_295_000);
  });

  it('may lie anywhere that 64 bits reach', () => {
    for (const halves of [
      [0xffff_ffff, 0x7fff_ffff],
      [0, 0x8000_0000],
      [0xffff_ffff, 0xffff_ffff],
    ]) {
      const end = fineTimes(Uint32Array.from(halves), 6).put(text, bytes, 0, 0);
      assert.ok(end <= TIME_TEXT_BYTES);
      assert.ok(JSON.parse(`{"a":0${Buffer.from(bytes.subarray(0, end)).toString()}`));
    }
  });
});
