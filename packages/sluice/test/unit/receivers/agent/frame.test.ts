import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { frameSize, parseHeader } from '../../../../src/receivers/agent/frame.ts';
import { frame } from './intake-parts.ts';

const LIMIT = 16 * 1024 * 1024;

function head(size: number, type: number): Uint8Array {
  const bytes = Buffer.alloc(5);
  bytes.writeUInt32BE(size);
  bytes[4] = type;
  return bytes;
}

describe('size and type', () => {
  const cases: readonly [name: string, size: number, type: number, found: number | string][] = [
    ['header and a body', 100, 3, 100],
    ['a header alone is an empty frame', 19, 3, 19],
    ['less than a header', 18, 3, 'bad_size'],
    ['nothing at all', 0, 3, 'bad_size'],
    ['SYSLOG has five bytes', 5, 1, 5],
    ['less than SYSLOG has', 4, 1, 'bad_size'],
    ['COMPRESS must have more than five bytes', 5, 0, 'bad_size'],
    ['COMPRESS', 6, 0, 6],
    ['the greatest type', 19, 21, 19],
    ['one beyond it', 100, 22, 'unknown_type'],
    ['any other', 100, 255, 'unknown_type'],
    ['the greatest body', LIMIT + 19, 3, LIMIT + 19],
    ['one byte more', LIMIT + 20, 3, 'too_large'],
    ['the greatest body of SYSLOG', LIMIT + 5, 1, LIMIT + 5],
    ['one byte more of SYSLOG', LIMIT + 6, 1, 'too_large'],
    ['the greatest number', 0xffffffff, 3, 'too_large'],
  ];
  for (const [name, size, type, found] of cases) {
    test(`${name}: ${size} bytes of type ${type}`, () => assert.equal(frameSize(head(size, type), 0, LIMIT), found));
  }
});

describe('header', () => {
  test('numbers stand where they should, and are little-endian', () => {
    const bytes = frame({ encoder: 3, org: 0x0203, team: 0x01020304, agent: 0xfffe, records: [] });
    assert.deepEqual(parseHeader(bytes, 0), { encoder: 3, org: 0x0203, team: 0x01020304, agent: 0xfffe });
  });

  test('of an old agent: the agent stands elsewhere, everything else is ignored', () => {
    const bytes = Buffer.alloc(19, 0xee);
    bytes.writeUInt32BE(19);
    bytes[4] = 3;
    bytes.writeUInt32LE(20220117, 5);
    bytes.writeUInt16LE(777, 17);
    assert.deepEqual(parseHeader(bytes, 0), { encoder: 0, org: 1, team: 1, agent: 777 });
  });

  test('SYSLOG and COMPRESS have none', () => {
    for (const type of [0, 1]) {
      const bytes = frame({ type, records: ['text that looks like a header'] });
      assert.deepEqual(parseHeader(bytes, 0), { encoder: 0, org: 0, team: 0, agent: 0 });
    }
  });
});

interface Recorded {
  readonly header: {
    frame_size: number;
    type: number;
    encoder: number;
    team_id: number;
    org_id: number;
    agent_id: number;
  };
}

test('headers of recorded frames are read as they were by another implementation', () => {
  const fixtures = new URL('../../../fixtures/agent/', import.meta.url);
  let seen = 0;
  for (const folder of readdirSync(fixtures, { withFileTypes: true }).filter((entry) => entry.isDirectory())) {
    for (const name of readdirSync(new URL(`${folder.name}/`, fixtures))) {
      if (!name.endsWith('.bin')) continue;
      const file = new URL(`${folder.name}/${name}`, fixtures);
      const bytes = readFileSync(file);
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what the recorder wrote
      const { header } = JSON.parse(readFileSync(new URL(file.href.replace('.bin', '.json')), 'utf8')) as Recorded;
      assert.equal(bytes[4], header.type, name);
      assert.equal(frameSize(bytes, 0, LIMIT), header.frame_size, name);
      const { encoder, team_id: team, org_id: org, agent_id: agent } = header;
      assert.deepEqual(parseHeader(bytes, 0), { encoder, team, org, agent }, name);
      seen++;
    }
  }
  assert.ok(seen >= 10, `${seen} frames`);
});
