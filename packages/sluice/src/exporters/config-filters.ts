import { z } from 'zod';
import { scalarText } from '../base/config-schema.ts';

/** Configuration of what an exporter sends: its selection, and of that `tag-filters`, `tag-filter-condition` and `tag-filters-groups`. */

/** Rows pass a group by one of its filters, or by all. */
export interface FilterGroup {
  readonly type: 'and' | 'or';
  readonly filters: readonly TagFilter[];
}

/** A field compared with values: equal to one of them, matching one of them, or to none (`!`). */
export interface TagFilter {
  readonly field: string;
  readonly operator: FilterOperator;
  readonly values: readonly string[];
}

/** What of a data source an exporter sends, as configured; the same for every protocol. */
export interface SelectionConfig {
  /** Entries of `export-fields`: categories, names, `$k8s.label` forms. */
  readonly exportFields: readonly string[];
  /** A row passes when a group says so; no group = every row passes. `tag-filters` is one group. */
  readonly filterGroups: readonly FilterGroup[];
  readonly exportEmptyTag: boolean;
  readonly exportEmptyMetrics: boolean;
  readonly translateEnums: boolean;
  readonly translateNames: boolean;
  readonly includeImportedSpans: boolean;
  readonly excludeSelfTraffic: boolean;
  /** Rows older than this are left out, in milliseconds. */
  readonly maxAgeMs?: number | undefined;
}

export type FilterOperator = '=' | '!=' | '~' | '!~' | ':' | '!:';

const condition = z.strictObject({
  type: z
    .string()
    .transform((text, context): 'and' | 'or' => {
      const type = text.toLowerCase();
      if (type === 'and' || type === 'or') return type;
      context.addIssue('expected "and" or "or"');
      return z.NEVER;
    })
    .meta({ format: '"and" or "or"', description: 'Whether all filters of the group must hold, or one' }),
});

const OPERATORS: ReadonlyMap<string, FilterOperator> = new Map([
  ['=', '='],
  ['in', '='],
  ['!=', '!='],
  ['not in', '!='],
  ['~', '~'],
  ['!~', '!~'],
  [':', ':'],
  ['!:', '!:'],
]);

/** The operators of tag-filters as they are written. */
export const FILTER_OPERATORS: readonly string[] = [...OPERATORS.keys()];

const OPERATOR_HELP = `expected ${FILTER_OPERATORS.map((name) => `"${name}"`).join(', ')}`;

const filter = z
  .strictObject({
    'field-name': z.string().min(1).meta({ description: 'Field of the data sources, as in `export-fields`' }),
    operator: z
      .string({ error: `${OPERATOR_HELP}, in quotes: without them YAML takes ~ for nothing and !=, !~, !: for tags` })
      .transform((text, context): FilterOperator => {
        const operator = OPERATORS.get(text.trim().toLowerCase().replaceAll(/\s+/g, ' '));
        if (operator !== undefined) return operator;
        context.addIssue(`${OPERATOR_HELP}; got ${text === '' ? 'an empty text' : JSON.stringify(text.slice(0, 40))}`);
        return z.NEVER;
      })
      .meta({
        format: '"=", "!=", in, not in, "~", "!~", ":" or "!:"',
        description:
          'Equal to one of the values or to none, matching a regular expression (anywhere in the value) or not, matching a pattern with `*` (the whole value) or not. In quotes: most of these mean something else in YAML',
      }),
    'field-values': z
      .array(scalarText)
      .min(1, { error: 'expected at least one value' })
      .meta({ description: 'What the field is compared with: raw values (ids and codes, not names)' }),
  })
  .transform((value): TagFilter => ({
    field: value['field-name'],
    operator: value.operator,
    values: value['field-values'],
  }));

const filters = z.array(filter);

/** The keys of filters. */
export const filterShape = {
  'tag-filters': filters.optional().meta({
    description:
      'Rows that are exported, as one group (deprecated by DeepFlow); `tag-filters-groups` has no effect beside it',
  }),
  'tag-filter-condition': condition.optional().meta({ description: 'How `tag-filters` are joined; absent: and' }),
  'tag-filters-groups': z
    .array(
      z
        .strictObject({
          'tag-filter-condition': condition.optional().meta({ description: 'How the filters of the group are joined' }),
          'tag-filters': filters
            .min(1, { error: 'expected at least one filter' })
            .meta({ description: 'Filters of the group' }),
        })
        .transform((group): FilterGroup => ({
          type: group['tag-filter-condition']?.type ?? 'and',
          filters: group['tag-filters'],
        })),
    )
    .optional()
    .meta({ description: 'Rows that are exported: those for which one of these groups holds' }),
};

/** As with DeepFlow, `tag-filters` win over the groups. */
export function filterGroups(keys: z.output<z.ZodObject<typeof filterShape>>): readonly FilterGroup[] {
  const alone = keys['tag-filters'] ?? [];
  if (alone.length > 0) return [{ type: keys['tag-filter-condition']?.type ?? 'and', filters: alone }];
  return keys['tag-filters-groups'] ?? [];
}
