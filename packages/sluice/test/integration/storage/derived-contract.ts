import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { textAt } from '../../../src/batch/read.ts';
import { databaseOf, dataSources } from '../../../src/catalog/catalog.ts';
import { derivedTables } from '../../../src/catalog/derived-tables.ts';
import { ensureDerived, type EnsureDerivedOptions } from '../../../src/storage/ensure-derived.ts';
import { ensureTables } from '../../../src/storage/ensure-tables.ts';
import { sql, trustedSql } from '../../../src/storage/sql.ts';
import type { Store } from '../../../src/storage/store.ts';
import { createLog } from '../../../src/telemetry/log.ts';

const log = createLog({ level: 'silent' });
const ORG = 7;
const used = new Set(derivedTables.flatMap(({ from }) => from));

/** Rows of a statement whose columns are texts. */
export async function rowsOf(store: Store, statement: string): Promise<string[]> {
  const blocks = await store.select(trustedSql(statement));
  return blocks.flatMap(({ rows, columns }) =>
    Array.from({ length: rows }, (_, row) => columns.map(({ data }) => textAt(data, row)).join('|')),
  );
}

/** Makes all tables that others are derived from, and those. */
export async function makeTables(store: Store, more: Partial<EnsureDerivedOptions> = {}): Promise<void> {
  const sources = dataSources.filter((source) => used.has(source));
  const common = { store, organisations: [1, ORG], log };
  await ensureTables({ ...common, sources, retention: 'default' });
  await ensureDerived({ ...common, ...more });
}

/** What every engine does with views and dictionaries. */
export function derivedContract(engine: string, open: () => Store): void {
  describe(`views and dictionaries, ${engine}`, () => {
    it('answer queries that are written for DeepFlow', async () => {
      const store = open();
      await makeTables(store);
      await store.command(sql`INSERT INTO flow_tag.name_map (kind, id, device_type, name, is_deleted, time) VALUES
        ('pod', 7, 10, 'old', 0, now64(3) - 10), ('pod', 7, 10, 'cart-1', 0, now64(3) - 5), ('pod', 8, 10, 'cart-0', 1, now64(3)),
        ('pod_group', 3, 131, 'cart', 0, now64(3)), ('pod_service', 4, 11, 'cart-svc', 0, now64(3)), ('vpc', 9, 0, 'prod', 0, now64(3))`);
      await store.command(sql`INSERT INTO flow_tag.custom_tag_map (kind, id, family, name, value, is_deleted, time) VALUES
        ('pod', 7, 'k8s.label', 'app', 'shop', 0, now64(3)), ('pod', 7, 'k8s.label', 'tier', 'back', 0, now64(3) - 5),
        ('pod', 7, 'k8s.label', 'tier', '', 1, now64(3)), ('gprocess', 5, 'os.app', 'env', 'say "a\\'b"', 0, now64(3))`);
      const asked = await rowsOf(
        store,
        `SELECT dictGet('flow_tag.pod_map', 'name', toUInt64(7)), dictGet('flow_tag.pod_map', 'name', toUInt64(8)),
          dictGet('flow_tag.l3_epc_map', 'name', toUInt64(9)), dictGet('flow_tag.device_map', 'name', (toUInt64(11), toUInt64(4))),
          dictGet('flow_tag.device_map', 'name', (toUInt64(102), toUInt64(4))), dictGet('flow_tag.device_map', 'name', (toUInt64(131), toUInt64(3))),
          toString(dictGet('flow_tag.pod_group_map', 'pod_group_type', toUInt64(3))), dictGet('flow_tag.pod_map', 'name', toUInt64(99))`,
      );
      assert.deepEqual(asked, ['cart-1|cart-0 (deleted)|prod|cart-svc|cart-svc|cart|131|']);
      const tags = await rowsOf(
        store,
        `SELECT dictGet('flow_tag.pod_k8s_label_map', 'value', (toUInt64(7), 'app')), dictGet('flow_tag.pod_k8s_label_map', 'value', (toUInt64(7), 'tier')),
          dictGet('flow_tag.pod_k8s_labels_map', 'labels', toUInt64(7)), dictGet('flow_tag.os_app_tag_map', 'value', (toUInt64(5), 'env')),
          dictGet('flow_tag.int_enum_map', 'name_en', ('l7_protocol', toUInt64(20))), dictGet('flow_tag.node_type_map', 'node_type', toUInt64(10))`,
      );
      assert.deepEqual(tags, [`shop||{"app":"shop"}|say "a'b"|HTTP|pod`]);
      assert.deepEqual(await rowsOf(store, 'SELECT name FROM flow_tag.pod_map ORDER BY id'), [
        'cart-1',
        'cart-0 (deleted)',
      ]);
    });

    it('tell what resources are part of, also of what is gone', async () => {
      const store = open();
      await makeTables(store);
      await store.command(sql`INSERT INTO flow_tag.name_map (kind, id, device_type, name, is_deleted, time) VALUES
        ('pod', 21, 10, 'cart-1', 0, now64(3)), ('pod', 22, 10, 'cart-0', 1, now64(3)), ('pod', 23, 10, 'lone', 0, now64(3)),
        ('pod_group', 24, 131, 'cart', 0, now64(3)), ('subnet', 25, 0, 'net', 0, now64(3)), ('chost', 26, 1, 'box', 0, now64(3)),
        ('pod_node', 27, 14, 'node', 0, now64(3)), ('gprocess', 28, 120, 'redis', 0, now64(3)), ('agent', 29, 0, 'on-box', 0, now64(3)),
        ('agent', 30, 0, 'on-node', 0, now64(3)), ('host', 31, 6, 'rack', 1, now64(3)), ('pod_service', 32, 11, 'cart', 0, now64(3)),
        ('pod_ns', 33, 0, 'shop', 0, now64(3))`);
      await store.command(sql`INSERT INTO flow_tag.parent_map
        (kind, id, l3_epc_id, subnet_id, host_id, chost_id, pod_cluster_id, pod_node_id, pod_ns_id, pod_group_id, time) VALUES
        ('pod', 21, 9, 25, 0, 0, 1, 26, 33, 24, now64(3) - 5), ('pod', 21, 9, 25, 31, 0, 1, 27, 33, 24, now64(3)),
        ('pod', 22, 9, 25, 0, 0, 1, 27, 33, 24, now64(3)), ('pod_group', 24, 0, 0, 0, 0, 1, 0, 33, 0, now64(3)),
        ('subnet', 25, 9, 0, 0, 0, 0, 0, 0, 0, now64(3)), ('chost', 26, 9, 25, 31, 0, 0, 0, 0, 0, now64(3)),
        ('pod_node', 27, 9, 25, 31, 0, 1, 0, 0, 0, now64(3)), ('gprocess', 28, 9, 25, 31, 26, 0, 0, 0, 0, now64(3)),
        ('agent', 29, 9, 25, 31, 26, 0, 0, 0, 0, now64(3)), ('agent', 30, 9, 25, 31, 0, 1, 27, 0, 0, now64(3)),
        ('pod_service', 32, 9, 0, 0, 0, 1, 0, 33, 0, now64(3)), ('pod_ns', 33, 0, 0, 0, 0, 1, 0, 0, 0, now64(3))`);
      await store.command(sql`INSERT INTO flow_tag.custom_tag_map (kind, id, family, name, value, is_deleted, time) VALUES
        ('pod', 21, 'k8s.label', 'app', 'shop', 0, now64(3)), ('pod', 21, 'k8s.label', 'tier', 'back', 0, now64(3)),
        ('pod', 23, 'k8s.label', 'app', 'lone', 0, now64(3))`);
      await store.command(sql`SYSTEM RELOAD DICTIONARIES`);
      const told = async (table: string, columns: string, where = '1') =>
        (
          await rowsOf(
            store,
            `SELECT toString(tuple(${columns})) FROM flow_tag.${table} WHERE id > 20 AND ${where} ORDER BY id`,
          )
        ).join(' ');
      const inCluster = 'pod_cluster_id, pod_ns_id';
      assert.equal(
        await told('pod_map', `name, ${inCluster}, pod_node_id, pod_group_id, pod_service_id`),
        "('cart-1',1,33,27,24,0) ('cart-0 (deleted)',1,33,27,24,0) ('lone',0,0,0,0,0)",
      );
      assert.equal(await told('pod_group_map', `${inCluster}, pod_group_type`), '(1,33,131)');
      assert.equal(await told('pod_service_map', inCluster), '(1,33)');
      assert.equal(await told('pod_ns_map', 'pod_cluster_id'), '(1)');
      assert.equal(await told('pod_node_map', 'pod_cluster_id'), '(1)');
      assert.equal(await told('subnet_map', 'l3_epc_id'), '(9)');
      assert.equal(await told('chost_map', 'l3_epc_id, host_id, subnet_id'), '(9,31,25)');
      assert.equal(await told('gprocess_map', 'l3_epc_id, chost_id'), '(9,26)');
      assert.equal(
        await told('vtap_map', 'name, host_id, host_name, chost_id, chost_name, pod_node_id, pod_node_name'),
        "('on-box',31,'rack (deleted)',26,'box',0,'') ('on-node',31,'rack (deleted)',0,'',27,'node')",
      );
      assert.equal(
        await told('pod_k8s_label_map', 'value, l3_epc_id, pod_ns_id', "key = 'app'"),
        "('shop',9,33) ('lone',0,0)",
      );
      assert.equal(await told('pod_k8s_labels_map', 'l3_epc_id, pod_ns_id'), '(9,33) (0,0)');
      assert.deepEqual(
        await rowsOf(
          store,
          "SELECT toString(dictGet('flow_tag.pod_map', ('pod_ns_id', 'pod_node_id'), toUInt64(21))) AS asked",
        ),
        ['(33,27)'],
      );
    });

    it('can all be read, of each organisation', async () => {
      const store = open();
      await makeTables(store);
      for (const org of [1, ORG]) {
        for (const table of derivedTables) {
          const columns = table.columns.map(
            ({ name, type }) => `toTypeName(\`${name}\`) = '${type.replaceAll("'", "\\'")}'`,
          );
          const from = `${databaseOf(table, org)}.${table.name}`;
          const [wrong] = await rowsOf(
            store,
            `SELECT toString(countIf(NOT (${columns.join(' AND ')}))) FROM \`${from.replace('.', '`.`')}\``,
          );
          assert.equal(wrong, '0', from);
        }
      }
    });

    it('list custom fields and their values, and the labels of series', async () => {
      const store = open();
      await makeTables(store);
      await store.command(sql`INSERT INTO flow_tag.observed_field
        (database, record, table_name, field_type, field_name, field_value_type, field_value, time, count) VALUES
        ('flow_log', 'field', 'l7_flow_log', 'tag', 'user', 'string', '', now(), 1),
        ('flow_log', 'value', 'l7_flow_log', 'tag', 'user', 'string', 'anna', now(), 1),
        ('flow_log', 'application', 'l7_flow_log', 'tag', 'shop', 'string', 'shop-1', now(), 1),
        ('ext_metrics', 'field', 'influxdb.cpu', 'metrics', 'load1', 'float', '', now(), 1)`);
      await store.command(sql`INSERT INTO prometheus.series (metric_id, series_id, metric_name, labels, l3_epc_id, time)
        VALUES (1, 2, 'up', map('instance', 'a:1', 'job', 'node'), 9, now64(3))`);
      const fields = (database: string) =>
        rowsOf(
          store,
          `SELECT concat(table, ' ', field_type, ' ', field_name) AS text FROM flow_tag.${database}_custom_field GROUP BY text ORDER BY text`,
        );
      assert.deepEqual(await fields('flow_log'), ['l7_flow_log tag user']);
      assert.deepEqual(await fields('ext_metrics'), ['influxdb.cpu metrics load1']);
      assert.deepEqual(await fields('prometheus'), ['up tag instance', 'up tag job']);
      const values = (database: string, table: string) =>
        rowsOf(
          store,
          `SELECT CAST(field_name, 'String') AS name, field_value AS value FROM flow_tag.${database}_custom_field_value
            WHERE table = '${table}' AND field_type = 'tag' AND time >= now() - 7200 GROUP BY name, value ORDER BY name`,
        );
      assert.deepEqual(await values('flow_log', 'l7_flow_log'), ['user|anna']);
      assert.deepEqual(await values('prometheus', 'up'), ['instance|a:1', 'job|node']);
      assert.deepEqual(
        await rowsOf(
          store,
          "SELECT CAST(app_service, 'String'), CAST(app_instance, 'String') FROM flow_tag.flow_log_app_service",
        ),
        ['shop|shop-1'],
      );
    });

    it('are made anew only when they have another form', async () => {
      const store = open();
      await makeTables(store);
      const made: string[] = [];
      const noting: Store = {
        engine: store.engine,
        command: async (statement, limit) => {
          made.push(/(?:VIEW|DICTIONARY) (\S+)/.exec(statement.text)?.[1] ?? '');
          await store.command(statement, limit);
        },
        select: (statement, limit) => store.select(statement, limit),
        stream: (statement, limit) => store.stream(statement, limit),
        close: () => Promise.resolve(),
      };
      const options = { store: noting, organisations: [1, ORG], log };
      await ensureDerived(options);
      assert.deepEqual(made, []);
      await store.command(
        sql`CREATE OR REPLACE VIEW flow_tag.flow_log_custom_field AS SELECT 1 AS one COMMENT 'of an older version'`,
      );
      await store.command(sql`DROP DICTIONARY flow_tag.pod_map`);
      await ensureDerived(options);
      assert.deepEqual(made, ['`flow_tag`.`pod_map`', '`flow_tag`.`flow_log_custom_field`']);
    });

    it('read their tables as the user of the hub, whose password may have changed', async () => {
      const store = open();
      const login = { username: 'default', password: '' };
      await makeTables(store, { login });
      assert.deepEqual(await rowsOf(store, `SELECT toString(count()) FROM flow_tag.node_type_map`), ['16']);
      await makeTables(store, { login: { ...login, password: "not 'right'" } });
      await assert.rejects(rowsOf(store, `SELECT toString(count()) FROM flow_tag.node_type_map`), (error: Error) => {
        assert.doesNotMatch(error.message, /not 'right'/);
        return true;
      });
      await makeTables(store, { login });
    });
  });
}
