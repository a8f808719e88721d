import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, describe, test } from 'node:test';
import { emptyInventory } from '../../../src/tags/empty-inventory.ts';
import type { Inventory } from '../../../src/tags/inventory.ts';
import { described, overlay, ToldSource } from './described.ts';
import { describePlatform, type Platform } from './platform-description.ts';
import { pick, tagged, type Written } from './tagged-rows.ts';

/** Rules that the golden rows do not reach. Their inventory has node 41 (10.1.1.1, agent 12), pods 101 and 102 and VM 21 in VPC 7. */

const path = new URL('../../fixtures/golden/platform.json', import.meta.url);
const platform = JSON.parse(readFileSync(path, 'utf8')) as Platform;
const known = await described([new ToldSource(describePlatform(platform))]);
after(() => known.close());
const { inventory } = known.inventory;

/** Tags one row and compares the columns that `expected` names. */
function check(source: string, row: Written, expected: Readonly<Record<string, unknown>>, from: Inventory = inventory) {
  assert.deepEqual(pick(tagged(from, source, [row])[0]!, expected), expected);
}

const MAC_102 = 11_375_960_129_802;

describe('documents', () => {
  test('a loopback address seen at a process is the agent itself, also in tables of one end', () => {
    const expected = { tag_source: 32, l3_device_id: 41, auto_instance_id: 41, auto_instance_type: 14, l3_epc_id: 7 };
    const row = { agent_id: 12, is_ipv4: 1, ip4: '127.0.0.1', l3_epc_id: 7, observation_point_number: 41 };
    check('flow_metrics.network.1s', row, expected);
  });

  test('a MAC address tells everything but the namespace', () => {
    const row = {
      agent_id: 12,
      is_ipv4: 1,
      ip4: '192.0.2.1',
      l3_epc_id: 7,
      mac: MAC_102,
      server_port: 8080,
      protocol: 6,
    };
    const expected = {
      tag_source: 4,
      pod_id: 102,
      pod_ns_id: 0,
      pod_group_id: 202,
      service_id: 301,
      auto_service_id: 301,
    };
    check('flow_metrics.application.1m', row, expected);
  });

  test('a multicast group on the Internet is where its peer is', () => {
    const row = { is_ipv4: 1, ip4_0: '10.1.0.5', l3_epc_id_0: 7, ip4_1: '224.0.0.251', l3_epc_id_1: -2 };
    const expected = {
      region_id_1: 1,
      az_id_1: 11,
      subnet_id_1: 71,
      tag_source_1: 16,
      l3_device_id_1: 0,
      auto_instance_type_1: 0,
    };
    check('flow_metrics.network_map.1s', row, expected);
  });

  test('a client end has services by its pod, a node none without a port', () => {
    const row = { is_ipv4: 1, ip4_0: '10.1.0.10', l3_epc_id_0: 7, ip4_1: '10.1.1.1', l3_epc_id_1: 7, protocol: 6 };
    check('flow_metrics.network_map.1m', row, { service_id_0: 301, service_id_1: 0, auto_service_type_1: 103 });
  });

  test('a custom service wins over all others, by workload as by address', () => {
    const row = { is_ipv4: 1, ip4: '10.1.0.11', l3_epc_id: 7 };
    check('flow_metrics.network.1m', row, { pod_id: 103, auto_service_id: 402, auto_service_type: 104 });
    const other = { is_ipv4: 1, ip4: '10.1.5.7', l3_epc_id: 7, server_port: 9091, protocol: 6 };
    check('flow_metrics.network.1m', other, { auto_service_id: 78, auto_service_type: 255 });
  });

  test('spans have no Internet, and servers always a port', () => {
    const row = {
      is_ipv4: 1,
      ip4_0: '10.1.0.5',
      l3_epc_id_0: 7,
      l3_epc_id_1: -2,
      signal_source: 4,
      observation_point_number: 50,
    };
    const expected = {
      l3_epc_id_0: 7,
      l3_epc_id_1: 0,
      auto_instance_type_1: 255,
      auto_service_type_1: 255,
      server_port: 65_535,
    };
    check('flow_metrics.application_map.1s', row, expected);
  });
});

describe('imported spans', () => {
  const span = { agent_id: 12, is_ipv4: 1, is_imported: 1, signal_source: 4 };
  const source = 'flow_log.l7_flow_log';

  test('a client is in the VPC of its agent, its server where the address is known', () => {
    const row = {
      ...span,
      ip4_0: '10.1.0.9',
      ip4_1: '10.1.0.10',
      observation_point_number: 49,
      server_port: 8080,
      protocol: 6,
    };
    check(source, row, {
      l3_epc_id_0: 7,
      pod_id_0: 101,
      l3_epc_id_1: 7,
      pod_id_1: 102,
      service_id_1: 301,
      server_port: 8080,
    });
  });

  test('a server without a port gets one; its unknown client is nowhere', () => {
    const row = { ...span, ip4_0: '203.0.113.9', ip4_1: '10.1.0.9', observation_point_number: 50 };
    const expected = {
      l3_epc_id_0: 0,
      auto_instance_type_0: 255,
      tag_source_0: 8,
      l3_epc_id_1: 7,
      pod_id_1: 101,
      server_port: 65_535,
    };
    check(source, row, expected);
  });

  test('an address of another VPC towards the Internet, and of a connected VPC', () => {
    const row = { ...span, agent_id: 12, ip4_0: '10.1.0.9', ip4_1: '198.51.100.7', observation_point_number: 49 };
    check(source, row, { l3_epc_id_1: 7, l3_device_id_1: 23 });
    const connected = overlay(inventory, { peerVpcs: () => Int32Array.of(9, 8) });
    const peer = { ...row, ip4_1: '10.2.0.5' };
    check(source, peer, { l3_epc_id_1: 0, l3_device_id_1: 0 });
    check(source, peer, { l3_epc_id_1: 8, l3_device_id_1: 22, region_id_1: 2 }, connected);
  });

  test('a span that is neither has both ends at its agent', () => {
    check(
      source,
      { ...span, ip4_1: '10.1.0.9', observation_point_number: 48 },
      { l3_epc_id_0: 7, l3_epc_id_1: 7, pod_id_1: 101 },
    );
  });

  test('of an unknown agent nothing is known', () => {
    const row = { ...span, agent_id: 99, ip4_1: '10.1.0.9', observation_point_number: 50 };
    check(source, row, { l3_epc_id_0: 0, l3_epc_id_1: 0, pod_id_1: 0, auto_instance_type_1: 255, tag_source_1: 8 });
    check(
      source,
      row,
      { l3_epc_id_0: 0, l3_epc_id_1: 0, auto_service_type_0: 255, server_port: 65_535 },
      emptyInventory,
    );
  });

  test('captured rows between them are tagged as ever', () => {
    const rows = tagged(inventory, source, [
      { ...span, ip4_1: '10.1.0.9', observation_point_number: 50 },
      { agent_id: 12, is_ipv4: 1, ip4_0: '8.8.8.8', l3_epc_id_0: -2, signal_source: 4, observation_point_number: 50 },
    ]);
    const expected = { l3_epc_id_0: -2, auto_instance_type_0: 0, server_port: 0 };
    assert.deepEqual(pick(rows[1]!, expected), expected);
  });
});

describe('flow logs', () => {
  test('a virtual address is looked up by MAC, and the epc_id is that of the MAC', () => {
    const row = { agent_id: 12, is_ipv4: 1, ip4_1: '192.0.2.2', l3_epc_id_1: 7, mac_1: MAC_102, vip_1: 1 };
    check('flow_log.l7_flow_log', row, { tag_source_1: 4, pod_id_1: 102, epc_id_1: 7, epc_id_0: 0 });
  });
});

describe('events and profiles', () => {
  test('the first pid that is known names the process', () => {
    const row = { agent_id: 12, root_pid_key: 1, pid_key: 555, ai_root_pid_key: 4321 };
    check('event.proc_ops_event', row, { gprocess_id: 1002, auto_instance_id: 1002, auto_instance_type: 120 });
    check('profile.in_process', { agent_id: 12, pid_key: 4321, pod_key: 101 }, { gprocess_id: 1001, pod_id: 101 });
  });

  test('events of resources have no process', () => {
    check('event.event', { agent_id: 12 }, { l3_device_id: 41, gprocess_id: 0, is_ipv4: 1, ip4: '10.1.1.1' });
  });
});

describe('logs and external metrics', () => {
  test('a pod by its name in the cluster of the agent', () => {
    const expected = {
      pod_id: 102,
      pod_ns_id: 62,
      l3_epc_id: 7,
      ip6: 'fd00::a',
      is_ipv4: 0,
      service_id: 301,
      auto_service_id: 301,
    };
    check('ext_metrics.metrics', { agent_id: 12, pod_name_key: 'cart-66b1' }, expected);
    check(
      'application_log.log',
      { agent_id: 12, pod_name_key: 'hostnet-1' },
      { pod_id: 104, ip4: '10.1.1.1', is_ipv4: 1 },
    );
    check(
      'application_log.log',
      { agent_id: 14, pod_name_key: 'cart-66b1' },
      { pod_id: 0, subnet_id: 78, ip4: '10.1.5.200' },
    );
  });

  test('else the address that the entry gives, in the VPC of the agent', () => {
    check('application_log.log', { agent_id: 12, ip4: '10.1.0.9' }, { pod_id: 101, l3_epc_id: 7, is_ipv4: 1 });
    check('application_log.log', { agent_id: 12, ip6: 'fd00::9' }, { pod_id: 101, l3_epc_id: 7, is_ipv4: 0 });
  });

  test('else the agent', () => {
    check('application_log.log', { agent_id: 12 }, { l3_device_id: 41, ip4: '10.1.1.1', is_ipv4: 1, l3_epc_id: 7 });
    check('ext_metrics.metrics', { agent_id: 14 }, { subnet_id: 78, l3_epc_id: 7, auto_instance_type: 255 });
  });

  test('an unknown agent is on the Internet, and what came without one nowhere', () => {
    const unknown = { l3_epc_id: -2, auto_instance_type: 0, is_ipv4: 1, region_id: 0 };
    check('application_log.log', { agent_id: 99 }, unknown);
    check('application_log.log', { agent_id: 99 }, unknown, emptyInventory);
    check('application_log.log', { agent_id: 0 }, { l3_epc_id: 0, auto_instance_type: 255 }, emptyInventory);
  });
});
