/** Content types of `/metrics`. */
export const PROMETHEUS_TEXT = 'text/plain; version=0.0.4; charset=utf-8';
export const OPENMETRICS_TEXT = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

/** Whether an `Accept` header prefers OpenMetrics 1.0 to the Prometheus text format. */
export function prefersOpenMetrics(accept: string | undefined): boolean {
  if (accept === undefined) return false;
  let open = 0;
  let text = 0;
  for (const range of accept.split(',')) {
    const [type, ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    const parameter = (name: string) => parameters.find((part) => part.startsWith(`${name}=`))?.slice(name.length + 1);
    const quality = Number(parameter('q') ?? 1);
    const version = parameter('version');
    if (type === 'application/openmetrics-text' && (version ?? '1.0.0') === '1.0.0') open = Math.max(open, quality);
    if (type === 'text/plain' || type === '*/*' || type === 'text/*') text = Math.max(text, quality);
  }
  return open > 0 && open >= text;
}

/**
 * Turns Prometheus text into OpenMetrics: a counter's family is named without `_total`, there are no empty lines, the end is marked.
 * (prom-client's own OpenMetrics mode renames the counters of the registry for good, so that one registry cannot serve both.)
 */
export function toOpenMetrics(text: string): string {
  const lines: string[] = [];
  let family = '';
  let help: string | undefined;
  for (const line of text.split('\n')) {
    if (line === '') continue;
    if (line.startsWith('# HELP ')) {
      family = line.slice(7).split(' ', 1)[0] ?? '';
      help = line.slice(7 + family.length);
    } else if (line.startsWith('# TYPE ')) {
      let type = line.slice(8 + family.length);
      const total = type === 'counter' && family.endsWith('_total');
      // A counter must end in _total; another one can only be told as unknown.
      if (type === 'counter' && !total) type = 'unknown';
      const name = total ? family.slice(0, -6) : family;
      lines.push(`# HELP ${name}${help ?? ' '}`, `# TYPE ${name} ${type.trim()}`);
    } else {
      lines.push(line);
    }
  }
  return `${lines.join('\n')}\n# EOF\n`;
}
