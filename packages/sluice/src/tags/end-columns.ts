import type { RowBlock } from '../batch/row-block.ts';

/** Columns of one end of a table's rows, valid until the block grows. */
export interface EndColumns {
  readonly vpc: Int32Array;
  readonly ip4: Uint32Array;
  /** Four words a row. */
  readonly ip6: Uint32Array;
  readonly gprocess: Uint32Array;
  readonly region: Uint16Array;
  readonly zone: Uint16Array;
  readonly host: Uint16Array;
  readonly deviceType: Uint8Array;
  readonly device: Uint32Array;
  readonly subnet: Uint16Array;
  readonly podNode: Uint32Array;
  readonly podNamespace: Uint16Array;
  readonly podGroup: Uint32Array;
  readonly pod: Uint32Array;
  readonly podCluster: Uint16Array;
  readonly service: Uint32Array;
  readonly autoInstance: Uint32Array;
  readonly autoInstanceType: Uint8Array;
  readonly autoService: Uint32Array;
  readonly autoServiceType: Uint8Array;
}

/** Binds the columns of the end with this suffix: '' in tables of one end, else '_0' (client) or '_1' (server). */
export function endColumns(block: RowBlock, suffix: '' | '_0' | '_1'): EndColumns {
  const values = (name: string) => block.fixed[block.column(name + suffix)]!;
  return {
    vpc: values('l3_epc_id').i32,
    ip4: values('ip4').u32,
    ip6: values('ip6').u32,
    gprocess: values('gprocess_id').u32,
    region: values('region_id').u16,
    zone: values('az_id').u16,
    host: values('host_id').u16,
    deviceType: values('l3_device_type').u8,
    device: values('l3_device_id').u32,
    subnet: values('subnet_id').u16,
    podNode: values('pod_node_id').u32,
    podNamespace: values('pod_ns_id').u16,
    podGroup: values('pod_group_id').u32,
    pod: values('pod_id').u32,
    podCluster: values('pod_cluster_id').u16,
    service: values('service_id').u32,
    autoInstance: values('auto_instance_id').u32,
    autoInstanceType: values('auto_instance_type').u8,
    autoService: values('auto_service_id').u32,
    autoServiceType: values('auto_service_type').u8,
  };
}
