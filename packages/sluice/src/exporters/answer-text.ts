import type { IncomingHttpHeaders } from 'node:http';

/** A receiver's answer as it may be shown: in short, without secrets. */
export interface ShownAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** Characters of a text that are shown. */
const MOST_SHOWN = 1024;

/** Text of a receiver, for people: short, on one line. What must not be shown is taken out before. */
export function shownText(text: string): string {
  return text
    .replaceAll(/[\p{Cc}\s]+/gu, ' ')
    .slice(0, MOST_SHOWN)
    .trim();
}

/** What a receiver answered, as the reason of what becomes of a batch. */
export function answered({ status, text }: ShownAnswer): string {
  return `the receiver answered ${status}${text === '' ? '' : `: ${text}`}`;
}

/** The same of an answer that somebody has to see to, and where to look. */
export function answeredWrong(answer: ShownAnswer): string {
  const { status } = answer;
  const place = [401, 403, 407].includes(status)
    ? '; look at auth and extra-headers'
    : [404, 405, 410].includes(status)
      ? '; look at the path of the endpoint, and whether the receiver is switched on there'
      : '';
  return `${answered(answer)}${place}`;
}

/** The same of a redirect that is not followed, and what to do about it. */
export function redirected(answer: ShownAnswer): string {
  const { location } = answer.headers;
  const where = location !== undefined && URL.canParse(location) ? ` to ${shownUrl(new URL(location))}` : '';
  return `${answered(answer)}, a redirect${where}, which is not followed; put the final address into endpoints`;
}

/** An address without login and query, which may be credentials. */
export function shownUrl({ origin, pathname }: URL): string {
  return `${origin}${pathname}`;
}
