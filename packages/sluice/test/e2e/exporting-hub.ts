/** The hub's own command with exporters in a configuration file that tests change under it. */
import { writeFileSync } from 'node:fs';
import type { ExporterListing } from '../../src/delivery/exporters-api.ts';
import { readCursor } from '../../src/journal/cursor-file.ts';
import { cursorPath } from '../../src/journal/layout.ts';
import { command, Hub, Running, until, type Scratch } from './processes.ts';

/** An entry of `exporters`, as in the configuration. */
export type ExporterKeys = Readonly<Record<string, unknown>>;

/** How long anything may take on a machine that does much else. */
export const PATIENCE_MS = 90_000;

/** Times that tests should not wait for are short. */
const QUICK: ExporterKeys = { 'flush-timeout': 0.1, retry: { initial: '50ms', max: '500ms' } };

/** Keys that the tests of exporters have in common, with some more. */
export function exporterKeys(keys: ExporterKeys): ExporterKeys {
  return { ...QUICK, 'queue-count': 2, ...keys };
}

export interface ExportingHubOptions {
  /** Default `none`: only the journal and exporters. */
  readonly engine?: 'none' | 'chdb';
  /** Further arguments of the command. */
  readonly args?: readonly string[];
}

/** A hub, its folder and its configuration file. They stay over `crash` and `restart`; the hub is another one then. */
export class ExportingHub implements AsyncDisposable {
  readonly dataDir: string;
  readonly configFile: string;
  readonly #scratch: Scratch;
  readonly #args: readonly string[];
  #hub: Hub | undefined;
  #files = 0;

  private constructor(scratch: Scratch, options: ExportingHubOptions) {
    this.#scratch = scratch;
    this.dataDir = `${scratch.path}/hub`;
    this.configFile = `${scratch.path}/sluice.yaml`;
    this.#args = [
      '--config',
      this.configFile,
      '--set',
      `storage.engine=${options.engine ?? 'none'}`,
      ...(options.args ?? []),
    ];
  }

  /** `exporters`: entries, or the text of the whole file. */
  static async start(
    scratch: Scratch,
    exporters: readonly ExporterKeys[] | string,
    options: ExportingHubOptions = {},
  ): Promise<ExportingHub> {
    const exporting = new ExportingHub(scratch, options);
    exporting.configure(exporters);
    await exporting.restart();
    return exporting;
  }

  get hub(): Hub {
    if (this.#hub === undefined) throw new Error('the hub was not started');
    return this.#hub;
  }

  /** Writes the file; the hub does not know it yet. */
  configure(exporters: readonly ExporterKeys[] | string): void {
    const text = typeof exporters === 'string' ? exporters : JSON.stringify({ exporters }, undefined, 2);
    writeFileSync(this.configFile, text);
  }

  /** Starts the hub. */
  async restart(): Promise<void> {
    this.#hub = await Hub.start(this.dataDir, { args: this.#args });
  }

  /** SIGKILL, and another start. */
  async crash(): Promise<void> {
    await this.hub.end('SIGKILL');
    await this.restart();
  }

  /** SIGHUP; resolves when the hub has dealt with it, with what it made of it. */
  async reload(exporters?: readonly ExporterKeys[] | string): Promise<'reloaded' | 'refused'> {
    if (exporters !== undefined) this.configure(exporters);
    const { hub } = this;
    const reloaded = await hub.metric('sluice_config_reloads_total');
    const refused = await this.count('sluice_config_reloads_total', 'outcome="refused"');
    hub.child.kill('SIGHUP');
    await until(
      async () => ((await hub.metric('sluice_config_reloads_total')) > reloaded ? true : undefined),
      PATIENCE_MS,
      () => `the configuration to be read again:\n${hub.output()}`,
    );
    return (await this.count('sluice_config_reloads_total', 'outcome="refused"')) > refused ? 'refused' : 'reloaded';
  }

  async exporters(): Promise<ExporterListing[]> {
    const answer = await fetch(`${this.hub.http}/api/v1/exporters`);
    const text = await answer.text();
    if (answer.status !== 200) throw new Error(`/api/v1/exporters answered ${answer.status}: ${text}`);
    return (JSON.parse(text) as { data: ExporterListing[] }).data;
  }

  /** State of one exporter. */
  async exporter(name: string): Promise<ExporterListing> {
    const found = (await this.exporters()).find((one) => one.name === name);
    if (found === undefined) throw new Error(`there is no exporter ${name}`);
    return found;
  }

  /** Waits until an exporter is in a state that the test is about. */
  async untilExporter(
    name: string,
    is: (exporter: ExporterListing) => boolean,
    what: string,
  ): Promise<ExporterListing> {
    let last: ExporterListing | undefined;
    return until(
      async () => {
        last = await this.exporter(name);
        return is(last) ? last : undefined;
      },
      PATIENCE_MS,
      () => `${name}: ${what}; it is ${JSON.stringify(last)}\n${this.hub.output()}`,
    );
  }

  /** Sends frames as an agent does, and waits until the journal has their rows. */
  async replay(frames: Uint8Array, rows: number, ...args: readonly string[]): Promise<void> {
    const file = `${this.#scratch.path}/${this.#files++}.bin`;
    writeFileSync(file, frames);
    await this.replayFiles([file], rows, ...args);
  }

  async replayFiles(files: readonly string[], rows: number, ...args: readonly string[]): Promise<void> {
    const { hub } = this;
    const before = await this.count('sluice_received_rows_total', 'input="agent"');
    await using sending = new Running('replay', process.execPath, [
      command,
      'replay',
      ...files,
      '--to',
      hub.agent,
      ...args,
    ]);
    await until(
      () => (sending.exited ? true : undefined),
      PATIENCE_MS,
      () => `everything to be sent:\n${sending.output()}\n${hub.output()}`,
    );
    const code = await sending.end();
    if (code !== 0) throw new Error(`sluice replay ended with ${code}:\n${sending.output()}`);
    let taken = 0;
    await until(
      async () => {
        taken = (await this.count('sluice_received_rows_total', 'input="agent"')) - before;
        return taken >= rows ? true : undefined;
      },
      PATIENCE_MS,
      () => `${rows} rows in the journal; there are ${taken}\n${hub.output()}`,
    );
  }

  /** The row of the table below which everything is confirmed, as it stands on the disk; 0 without one. */
  cursor(exporter: string, table: string): number {
    const cursor = readCursor(cursorPath(this.dataDir, exporter));
    if (cursor.kind !== 'read') return 0;
    for (const [partition, { row }] of cursor.state.rows) if (partition.split('/')[1] === table) return row;
    return 0;
  }

  /** Sum of a metric over the label sets that contain a text. */
  async count(metric: string, labels: string): Promise<number> {
    const text = await (await fetch(`${this.hub.http}/metrics`)).text();
    let sum = 0;
    for (const line of text.split('\n')) {
      if (line.startsWith(`${metric}{`) && line.includes(labels)) sum += Number(line.slice(line.lastIndexOf(' ')));
    }
    return sum;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#hub?.end('SIGKILL');
  }
}
