import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { derivedTables } from '../../../src/catalog/derived-tables.ts';
import { tableIn } from '../../../src/catalog/derived.ts';
import { dataSources } from '../../../src/catalog/catalog.ts';
import { createDerived } from '../../../src/storage/derived-tables.ts';
import { statementText } from '../../../src/storage/sql.ts';
import { fieldColumns } from '../../../src/tags/fields/field-columns.ts';

const named = (name: string) => derivedTables.find((table) => table.name === name)!;

describe('views and dictionaries', () => {
  it('are described once each, apart from tables, of tables of the catalog', () => {
    const names = [...derivedTables, ...dataSources.map(({ database, table }) => ({ database, name: table }))];
    assert.equal(new Set(names.map(({ database, name }) => `${database}.${name}`)).size, names.length);
    for (const { name, from, query, key = [], columns } of derivedTables) {
      const placeholders = new Set(Array.from(query.matchAll(/\{\w+\.\w+\}/g), ([text]) => text));
      assert.deepEqual([...placeholders], from.map(tableIn), name);
      assert(
        from.every((source) => dataSources.includes(source)),
        name,
      );
      assert.deepEqual(
        columns.slice(0, key.length).map((column) => column.name),
        key,
        name,
      );
    }
  });

  it('are there for each database whose rows have custom fields or applications', () => {
    const expected = [...fieldColumns.values()].flatMap(({ source: { database }, names, application }) => [
      ...(names < 0 ? [] : [`${database}_custom_field`, `${database}_custom_field_value`]),
      ...(application < 0 ? [] : [`${database}_app_service`]),
    ]);
    const views = derivedTables
      .filter(({ from }) => from.some(({ id }) => id === 'flow_tag.observed_field'))
      .map(({ name }) => name);
    assert.deepEqual(views.toSorted(), [...new Set(expected)].toSorted());
  });

  it('belong to their organisation, and to all servers of a cluster', () => {
    const { statement } = createDerived(named('pod_map'), 12, { cluster: 'all' });
    assert.match(statement.text, /^CREATE OR REPLACE DICTIONARY `0012_flow_tag`\.`pod_map` ON CLUSTER `all` \(/);
    assert.match(statement.text, /FROM `0012_flow_tag`\.`name_map` WHERE/);
    assert.match(statement.text, /FROM `0012_flow_tag`\.`parent_map` WHERE/);
    const view = createDerived(named('prometheus_custom_field'), 12, {});
    assert.match(view.statement.text, /^CREATE OR REPLACE VIEW `0012_flow_tag`\.`prometheus_custom_field` AS SELECT/);
    assert.match(view.statement.text, /FROM `0012_prometheus`\.`series` ARRAY JOIN/);
  });

  it('say in their comment which form they have, but nothing of a password', () => {
    const of = (password: string) => createDerived(named('pod_map'), 1, { login: { username: 'hub', password } });
    const one = of("it's secret");
    assert.equal(one.comment, of('another').comment);
    assert.notEqual(one.comment, createDerived(named('pod_map'), 1, {}).comment);
    assert.match(one.statement.text, /USER 'hub' PASSWORD '\[HIDDEN\]' QUERY/);
    assert.match(statementText(one.statement), /USER 'hub' PASSWORD 'it\\'s secret' QUERY/);
    assert(one.statement.text.endsWith(`COMMENT '${one.comment}'`));
  });
});
