/** Name of the reader that holds announcements of series back until the dictionary has them. */
export const SERIES_DICTIONARY_READER = 'series-dictionary';

/** Whether a reader of the journal is the hub's own: storage, roll-ups, the dictionary of series. No exporter may go by such a name. */
export function isOwnReader(name: string): boolean {
  return name === 'storage' || name === SERIES_DICTIONARY_READER || name.startsWith('roll-up-');
}
