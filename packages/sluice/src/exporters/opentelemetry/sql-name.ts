/** What an SQL statement is called: its command, and the table or database it is about. */
export interface SqlName {
  /** Bounds of the command; empty for an empty statement. */
  commandStart: number;
  commandEnd: number;
  /** Bounds of the table; empty when there is none. */
  tableStart: number;
  tableEnd: number;
}

const BLANK = 0x20;
const OPENING = 0x28;
const SEMICOLON = 0x3b;

const word = (text: string) => new TextEncoder().encode(text);
const SELECT = word('SELECT');
const DELETE = word('DELETE');
const INSERT = word('INSERT');
const UPDATE = word('UPDATE');
const CREATE = word('CREATE');
const DROP = word('DROP');
const ALTER = word('ALTER');
const FROM = word('FROM');
const INTO = word('INTO');
const TABLE = word('TABLE');
const DATABASE = word('DATABASE');
const IF = word('IF');
const EXISTS = word('EXISTS');

/**
 * Names the statement in [start, end) the way DeepFlow does: words are what stands between single blanks, and line breaks are no blanks. SELECT and
 * DELETE are about the word behind FROM, INSERT about the one behind INTO, ALTER behind TABLE, UPDATE about the second word, CREATE and DROP of a TABLE
 * or DATABASE about the third or what follows EXISTS. The table ends before a bracket or a closing semicolon.
 */
export function readSqlName(text: Uint8Array, start: number, end: number, name: SqlName): void {
  let from = start;
  let to = end;
  while (from < to && isSpace(text[from]!)) from++;
  while (to > from && isSpace(text[to - 1]!)) to--;
  const commandEnd = wordEnd(text, from, to);
  name.commandStart = from;
  name.commandEnd = commandEnd;
  name.tableStart = to;
  name.tableEnd = to;
  const second = nextWord(commandEnd, to);
  if (nextWord(wordEnd(text, second, to), to) >= to) return;
  const table = tableOf(text, { from, commandEnd, second, to });
  if (table >= to) return;
  name.tableStart = table;
  name.tableEnd = trimTable(text, table, wordEnd(text, table, to));
}

interface Words {
  readonly from: number;
  readonly commandEnd: number;
  readonly second: number;
  readonly to: number;
}

/** Where the word begins that names the table; `to` or beyond when there is none. */
function tableOf(text: Uint8Array, { from, commandEnd, second, to }: Words): number {
  const isCommand = (command: Uint8Array) => isWord(text, from, commandEnd, command);
  if (isCommand(SELECT) || isCommand(DELETE)) return wordAfter(text, second, to, FROM);
  if (isCommand(INSERT)) return wordAfter(text, second, to, INTO);
  if (isCommand(UPDATE)) return second;
  if (isCommand(ALTER)) return wordAfter(text, second, to, TABLE);
  if (!isCommand(CREATE) && !isCommand(DROP)) return to;
  const secondEnd = wordEnd(text, second, to);
  if (!isWord(text, second, secondEnd, TABLE) && !isWord(text, second, secondEnd, DATABASE)) return to;
  const third = nextWord(secondEnd, to);
  return isWord(text, third, wordEnd(text, third, to), IF) ? wordAfter(text, third, to, EXISTS) : third;
}

/** Begin of the word behind the first one, from `start` on, that is `wanted`. */
function wordAfter(text: Uint8Array, start: number, to: number, wanted: Uint8Array): number {
  for (let at = start; at < to;) {
    const end = wordEnd(text, at, to);
    if (isWord(text, at, end, wanted)) return nextWord(end, to);
    at = nextWord(end, to);
  }
  return to;
}

function wordEnd(text: Uint8Array, start: number, to: number): number {
  let at = start;
  while (at < to && text[at] !== BLANK) at++;
  return at;
}

/** Begin of the word behind the blank that ends one; beyond `to` when there is none. */
function nextWord(end: number, to: number): number {
  return end < to ? end + 1 : to + 1;
}

function trimTable(text: Uint8Array, start: number, end: number): number {
  for (let at = start + 1; at < end; at++) if (text[at] === OPENING) return at;
  return end > start && text[end - 1] === SEMICOLON ? end - 1 : end;
}

function isWord(text: Uint8Array, start: number, end: number, upper: Uint8Array): boolean {
  if (end - start !== upper.length) return false;
  for (let i = 0; i < upper.length; i++) {
    const character = text[start + i]!;
    const isLower = character >= 0x61 && character <= 0x7a;
    if ((isLower ? character - 32 : character) !== upper[i]) return false;
  }
  return true;
}

function isSpace(character: number): boolean {
  return character === BLANK || (character >= 0x09 && character <= 0x0d);
}
