import type { SeriesTagState } from '../base/ports.ts';

/*
 * Five words a series: subject | next series of the subject | the one before (0 = it is the first) | agent | signature of the announced tags.
 * Nothing is allocated before the first series has any of it.
 */
const WORDS = 5;
const SUBJECT = 0;
const NEXT = 1;
const BEFORE = 2;
const AGENT = 3;
const SIGNATURE = 4;

export class TagState implements SeriesTagState {
  #words = new Uint32Array(0);
  /** First series by subject. */
  #first = new Uint32Array(0);

  get bytes(): number {
    return this.#words.byteLength + this.#first.byteLength;
  }

  subject(series: number): number {
    return this.#words[series * WORDS + SUBJECT] ?? 0;
  }

  agent(series: number): number {
    return this.#words[series * WORDS + AGENT] ?? 0;
  }

  signature(series: number): number {
    return this.#words[series * WORDS + SIGNATURE] ?? 0;
  }

  setSubject(series: number, subject: number): void {
    if (this.subject(series) === subject) return;
    this.#unlink(series);
    if (subject === 0) return;
    this.#reserve(series);
    if (subject >= this.#first.length) this.#first = grown(this.#first, subject + 1);
    const next = this.#first[subject]!;
    const at = series * WORDS;
    this.#words[at + SUBJECT] = subject;
    this.#words[at + NEXT] = next;
    if (next !== 0) this.#words[next * WORDS + BEFORE] = series;
    this.#first[subject] = series;
  }

  setAnnounced(series: number, agent: number, signature: number): void {
    if (agent === this.agent(series) && signature === this.signature(series)) return;
    this.#reserve(series);
    this.#words[series * WORDS + AGENT] = agent;
    this.#words[series * WORDS + SIGNATURE] = signature;
  }

  first(subject: number): number {
    return this.#first[subject] ?? 0;
  }

  next(series: number): number {
    return this.#words[series * WORDS + NEXT] ?? 0;
  }

  clearSubjects(): void {
    for (let at = 0; at < this.#words.length; at += WORDS) this.#words.fill(0, at, at + AGENT);
    this.#first.fill(0);
  }

  /** The series is gone; its number will stand for another one. */
  drop(series: number): void {
    this.#unlink(series);
    this.setAnnounced(series, 0, 0);
  }

  #unlink(series: number): void {
    const subject = this.subject(series);
    if (subject === 0) return;
    const words = this.#words;
    const at = series * WORDS;
    const next = words[at + NEXT]!;
    const before = words[at + BEFORE]!;
    if (before === 0) this.#first[subject] = next;
    else words[before * WORDS + NEXT] = next;
    if (next !== 0) words[next * WORDS + BEFORE] = before;
    words.fill(0, at, at + AGENT);
  }

  #reserve(series: number): void {
    const needed = (series + 1) * WORDS;
    if (needed > this.#words.length) this.#words = grown(this.#words, needed);
  }
}

function grown(words: Uint32Array, needed: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(Math.max(needed + (needed >>> 1), 1024));
  larger.set(words);
  return larger;
}
