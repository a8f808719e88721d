/**
 * Line, from 1, where YAML nests deeper than `most` levels. The parser recurses per level and takes a thousand bytes for each, so that text without end is
 * to be refused before: brackets are counted over the whole text, block nesting by the leading spaces and dashes of a line (a level takes at least
 * one). Generous: brackets inside text count too.
 */
export function deepestLine(text: string, most = 200): number | undefined {
  let depth = 0;
  let line = 1;
  let leading = 0;
  let atStart = true;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === 10) {
      line++;
      leading = 0;
      atStart = true;
      continue;
    }
    if (atStart && (char === 32 || char === 45 || char === 63 || char === 58)) leading++;
    else atStart = false;
    if (char === 91 || char === 123) depth++;
    else if ((char === 93 || char === 125) && depth > 0) depth--;
    if (depth > most || leading > most) return line;
  }
  return undefined;
}
