import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SluiceError } from '../../../src/base/errors.ts';
import { clickhouseCode, databaseError, isUnlisted } from '../../../src/storage/database-error.ts';

describe('databaseError', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['Code: 62. DB::Exception: Syntax error', 'storage_refused'],
    ['Code: 33. DB::Exception: Cannot read all data', 'storage_refused'],
    ['Code: 117. DB::Exception: Incorrect data', 'storage_refused'],
    ['Code: 241. DB::Exception: memory limit exceeded', 'storage_limit'],
    ['Code: 159. DB::Exception: Timeout exceeded', 'storage_limit'],
    ['Code: 243. DB::Exception: not enough space', 'storage_unavailable'],
    ['Code: 252. DB::Exception: Too many parts', 'storage_unavailable'],
    ['Code: 516. DB::Exception: Authentication failed', 'storage_unavailable'],
    ['Code: 999. DB::Exception: Keeper', 'storage_unavailable'],
    ['Code: 4711. DB::Exception: of the future', 'storage_unavailable'],
    ['socket hang up', 'storage_unavailable'],
  ];
  for (const [message, code] of cases) {
    it(`${message} is ${code}`, () => {
      const error = databaseError('insert', new Error(message));
      assert.equal(error.code, code);
      assert.equal(error.message, `cannot insert: ${message}`);
    });
  }

  it('keeps one line of bounded length', () => {
    const error = databaseError('query', new Error(`Code: 62. ${'x'.repeat(1000)}\nstack`));
    assert.ok(error.message.length < 450);
    assert.doesNotMatch(error.message, /\n/);
  });

  it('reads the number from properties and causes, and shows it', () => {
    const fromClient = Object.assign(new Error('Table x does not exist'), { code: '60', type: 'UNKNOWN_TABLE' });
    assert.equal(clickhouseCode(fromClient), 60);
    assert.equal(databaseError('query', fromClient).message, 'cannot query: Code: 60. Table x does not exist');
    assert.equal(
      clickhouseCode(new Error('outer', { cause: Object.assign(new Error('inner'), { clickhouseCode: 76 }) })),
      76,
    );
    assert.equal(clickhouseCode(Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })), undefined);
  });

  it('names every address that was tried', () => {
    const all = new AggregateError([
      new Error('connect ECONNREFUSED ::1:8123'),
      new Error('connect ECONNREFUSED 127.0.0.1:8123'),
    ]);
    assert.match(databaseError('query', all).message, /::1:8123; connect ECONNREFUSED 127/);
  });

  it('says cancelled when the caller went away, and passes its own errors on', () => {
    assert.equal(databaseError('query', new Error('Code: 394. killed'), AbortSignal.abort()).code, 'cancelled');
    const own = new SluiceError('storage_limit', 'cannot');
    assert.equal(databaseError('query', own), own);
  });

  it('knows which numbers it does not know', () => {
    assert.equal(isUnlisted(databaseError('query', new Error('Code: 4711. new'))), true);
    assert.equal(isUnlisted(databaseError('query', new Error('Code: 241. memory'))), false);
    assert.equal(isUnlisted(databaseError('query', new Error('socket hang up'))), false);
    assert.equal(isUnlisted(databaseError('query', new Error('Code: 1001. std::out_of_range: at'))), true);
  });

  it('never takes a full disk or missing rights for bad data', () => {
    for (const text of [
      'filesystem error: in create_directories: No space left on device',
      'std::bad_alloc',
      'Access to file denied: Permission denied',
      'Too many open files',
      'I/O error: /data/x',
    ]) {
      for (const code of [1000, 1001, 1002]) {
        assert.equal(
          isUnlisted(databaseError('load', new Error(`Code: ${code}. DB::Exception: ${text}`))),
          false,
          text,
        );
      }
    }
  });
});
