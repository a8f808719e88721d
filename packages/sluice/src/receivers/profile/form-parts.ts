/** Boundaries are this long at most, and forms of profiles have few parts. */
const MOST_BOUNDARY = 70;
const MOST_PARTS = 16;
const MOST_HEADERS = 1024;

/**
 * Parts of a multipart/form-data body by their names, or undefined when it is none:
 *
 *   --<boundary>\r\n  headers \r\n\r\n  content \r\n  --<boundary>\r\n ... --<boundary>--
 */
export function formParts(contentType: string, body: Uint8Array): ReadonlyMap<string, Uint8Array> | undefined {
  const boundary = /;\s*boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(contentType);
  const name = boundary?.[1] ?? boundary?.[2];
  if (name === undefined || name.length > MOST_BOUNDARY) return undefined;
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const delimiter = `--${name}`;
  const parts = new Map<string, Uint8Array>();
  let at = bytes.indexOf(delimiter);
  for (let count = 0; at >= 0; count++) {
    at += delimiter.length;
    if (bytes.toString('latin1', at, at + 2) === '--') return parts;
    const end = bytes.indexOf(`\r\n${delimiter}`, at);
    const headers = bytes.indexOf('\r\n\r\n', at);
    if (end < 0 || headers < 0 || headers > end || headers - at > MOST_HEADERS || count === MOST_PARTS)
      return undefined;
    // With \r\n in front of them both may be empty.
    const content = Math.min(headers + 4, end);
    const partName = /^content-disposition:[^\r]*[;\s]name="?([^";\r]*)"?/im.exec(
      bytes.toString('latin1', at, headers),
    );
    if (partName?.[1] !== undefined && !parts.has(partName[1])) parts.set(partName[1], bytes.subarray(content, end));
    at = end + 2;
  }
  return undefined;
}

/** Whether a body of this content type is a form with parts. */
export function isForm(contentType: string): boolean {
  return /^\s*multipart\/form-data\b/i.test(contentType);
}
