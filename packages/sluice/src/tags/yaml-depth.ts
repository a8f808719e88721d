/**
 * Line, from 1, where YAML nests more deeply than anybody writes it. The parser recurses per level, and takes a thousand bytes for each: such text is refused
 * before.
 */
export function deepestLine(text: string): number | undefined {
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
    if (depth > 200 || leading > 200) return line;
  }
  return undefined;
}
