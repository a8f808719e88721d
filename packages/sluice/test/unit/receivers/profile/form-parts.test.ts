import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formParts, isForm } from '../../../../src/receivers/profile/form-parts.ts';

function read(contentType: string, body: string | Uint8Array): Readonly<Record<string, string>> | undefined {
  const inside = Buffer.concat([Buffer.from('--b\r\n\r\n'), Buffer.from(body), Buffer.from('--b--')]);
  const parts = formParts(contentType, inside.subarray(7, inside.length - 5));
  return parts && Object.fromEntries([...parts].map(([name, bytes]) => [name, Buffer.from(bytes).toString('latin1')]));
}

const form = 'multipart/form-data; boundary=b';
const part = (name: string, content: string) =>
  `--b\r\nContent-Disposition: form-data; name="${name}"; filename="x"\r\nContent-Type: a/b\r\n\r\n${content}\r\n`;

test('parts by their names', () => {
  assert.deepEqual(read(form, `${part('profile', 'a\r\nb--b')}${part('other', '')}--b--\r\n`), {
    profile: 'a\r\nb--b',
    other: '',
  });
  assert.deepEqual(read('Multipart/Form-Data;charset=x; boundary="b"', `preface\r\n${part('p', '1')}--b--`), {
    p: '1',
  });
  assert.deepEqual(read(form, '--b\r\ncontent-disposition: form-data; name=p\r\n\r\n1\r\n--b--'), { p: '1' });
  assert.deepEqual(read(form, '--b\r\ncontent-type: a/b\r\n\r\n1\r\n--b--'), {}, 'without a name');
  assert.deepEqual(read(form, `${part('p', 'first')}${part('p', 'second')}--b--`), { p: 'first' });
});

test('what is no form', () => {
  assert.equal(read('multipart/form-data', `${part('p', '1')}--b--`), undefined);
  assert.equal(read(form, ''), undefined);
  assert.equal(read(form, part('p', '1')), undefined, 'not ended');
  assert.equal(read(form, '--b\r\nx\r\n--b--'), undefined, 'no headers');
  assert.equal(read(form, `--b\r\n${'x: y\r\n'.repeat(500)}\r\n1\r\n--b--`), undefined, 'too many headers');
  assert.equal(read(form, `${part('p', '1').repeat(17)}--b--`), undefined, 'too many parts');
  assert.equal(read(`multipart/form-data; boundary=${'b'.repeat(71)}`, ''), undefined);
});

test('content types', () => {
  assert.equal(isForm(form), true);
  assert.equal(isForm(' MULTIPART/FORM-DATA'), true);
  assert.equal(isForm('multipart/mixed; boundary=b'), false);
  assert.equal(isForm(''), false);
});

test('come back as a client writes them', async () => {
  const content = fc.uint8Array({ maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.tuple(fc.stringMatching(/^[a-z_]{1,9}$/), content), { selector: ([n]) => n, maxLength: 5 }),
      async (fields) => {
        const data = new FormData();
        for (const [name, bytes] of fields) data.append(name, new Blob([bytes]), 'file');
        const request = new Request('http://localhost/', { method: 'POST', body: data });
        const body = new Uint8Array(await request.arrayBuffer());
        const parts = formParts(request.headers.get('content-type')!, body);
        assert.deepEqual(
          [...(parts ?? [])].map(([name, bytes]) => [name, [...bytes]]),
          fields.map(([name, bytes]) => [name, [...bytes]]),
        );
      },
    ),
    { numRuns: 50 },
  );
});

test('any bytes are read', () => {
  const soup = fc.array(fc.constantFrom('--b', '--', '\r\n', '\r\n\r\n', 'content-disposition: x; name="a"', 'x'));
  fc.assert(
    fc.property(soup, (words) => {
      read(form, words.join(''));
    }),
  );
});
