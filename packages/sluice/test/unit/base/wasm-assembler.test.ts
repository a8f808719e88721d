import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { LinearMemory } from '../../../src/base/linear-memory.ts';
import * as wasm from '../../../src/base/wasm-assembler.ts';

const memory = new LinearMemory();

function run(body: readonly wasm.Code[], ...values: readonly number[]): number {
  const functions = [{ name: 'f', parameters: values.length, i32Locals: 2, i64Locals: 1, body }];
  return (wasm.assemble(memory.memory, functions)['f'] as (...values: readonly number[]) => number)(...values);
}

suite('wasm assembler', () => {
  const { get, i32 } = wasm;
  test('constants of all sizes', () => {
    for (const value of [0, 1, -1, 63, 64, -64, -65, 127, 128, 8191, 8192, 0x7fffffff, -0x80000000])
      assert.equal(run([i32(value)]), value);
    for (const value of [0n, -1n, 1n << 62n, -(1n << 63n), 0x808080808080n]) {
      assert.equal(run([wasm.wrap(wasm.i64(value))]), Number(BigInt.asIntN(32, value)));
      assert.equal(
        run([wasm.wrap(wasm.shiftRight64(wasm.i64(value), wasm.i64(32n)))]),
        Number(BigInt.asIntN(32, value >> 32n)),
      );
    }
  });

  test('arithmetic and comparison', () => {
    assert.equal(run([wasm.add(get(0), get(1))], 5, -7), -2);
    assert.equal(run([wasm.subtract(get(0), get(1))], 5, 7), -2);
    assert.equal(run([wasm.lessUnsigned(get(0), get(1))], 5, -1), 1);
    assert.equal(run([wasm.greaterUnsigned(get(0), get(1))], 5, -1), 0);
    assert.equal(run([wasm.atLeastUnsigned(get(0), get(1))], 5, 5), 1);
    assert.equal(run([wasm.select(get(0), i32(7), i32(8))], 1), 7);
    assert.equal(run([wasm.select(get(0), i32(7), i32(8))], 0), 8);
  });

  test('loops, branches and memory', () => {
    const at = memory.allocate();
    // Sum of the bytes [0, 1).
    const sum = [
      wasm.block(
        wasm.loop(
          wasm.leaveIf(1, wasm.atLeastUnsigned(get(0), get(1))),
          wasm.set(2, wasm.add(get(2), wasm.load8(get(0)))),
          wasm.set(0, wasm.add(get(0), i32(1))),
          wasm.leave(0),
        ),
      ),
      wasm.when(wasm.equals(get(2), i32(6)), wasm.giveBack(i32(-1))),
      get(2),
    ];
    memory.bytes.set([1, 2, 3, 4], at);
    assert.equal(run(sum, at, at + 4), 10);
    assert.equal(run(sum, at, at + 3), -1);
    assert.equal(run([wasm.store128(get(0), wasm.load128(get(1))), wasm.load32(get(0))], at + 32, at), 0x04030201);
    assert.equal(run([wasm.store64(get(0), wasm.i64(0x0102030405060708n), 8), wasm.load16(get(0), 8)], at), 0x0708);
    assert.equal(run([wasm.copyMemory(get(0), get(1), i32(3)), wasm.load32(get(0))], at + 100, at + 1), 0x040302);
    memory.release(at);
  });
});
