import { text, u32, u8, word } from './columns.ts';
import { saidAt, saidTable } from './flow-tags.ts';
import type { DataSource } from './types.ts';

const key = { role: 'id', index: 'none' } as const;

/**
 * What hubs on one ClickHouse tell each other so that a resource has the same id everywhere: who gives ids, up to which number it may, and for which
 * resources others ask. The answers are rows of flow_tag.name_map.
 */
export const idMessage: DataSource = {
  ...saidTable,
  id: 'flow_tag.id_message',
  table: 'id_message',
  description: 'What hubs on one ClickHouse tell each other about the ids of resources',
  columns: [
    word('hub', 'Who says it', key),
    word('record', 'hub: whether it gives ids; reserved: up to where; request: a resource that it asks an id for', key),
    word('kind', 'Kind of resource; empty for record hub', key),
    text('key', 'Key of the resource in the inventory; only for record request', key),
    text('name', 'Name of the hub or of the resource'),
    u32('id', 'hub: its term; reserved: ids are below; request: the id that it should have, 0 for any', {
      index: 'none',
    }),
    u8('is_deleted', '1: it does not give ids, or asks no more', { index: 'none' }),
    saidAt,
  ],
  sealAfterMs: 1_000,
  orderBy: ['hub', 'record', 'kind', 'key'],
};
