import type { EndColumns } from './end-columns.ts';
import { WORDS, word, type ResourceTable } from './resource-table.ts';
import { autoType, INTERNET } from './tag-bits.ts';

/**
 * auto_instance and auto_service of the rows of an end: the most specific thing and the most telling service that are known of it. Where nothing is,
 * an end of the Internet gets (0, Internet) and any other its subnet, to be shown as the address.
 *
 * `found` are the rows' resources, which know the kind of the workload; `customServices` each row's custom service, when there are any.
 */
export function writeAutoTags(end: EndColumns, rows: number, { found, table, customServices }: AutoTagInputs): void {
  const { pod, gprocess, podNode, device, deviceType, subnet, vpc, service, podGroup, podCluster } = end;
  const { autoInstance, autoInstanceType, autoService, autoServiceType } = end;
  const { words } = table;
  for (let row = 0; row < rows; row++) {
    // What both have in common, from the end of their lists.
    const internet = vpc[row] === INTERNET;
    let id = internet ? 0 : subnet[row]!;
    let type: number = internet ? autoType.internet : autoType.address;
    if (device[row] !== 0) {
      id = device[row]!;
      type = deviceType[row]!;
    }
    let serviceId = id;
    let serviceType = type;
    if (pod[row] !== 0) {
      id = pod[row]!;
      type = autoType.pod;
    } else if (gprocess[row] !== 0) {
      id = gprocess[row]!;
      type = autoType.process;
    } else if (podNode[row] !== 0) {
      id = podNode[row]!;
      type = autoType.podNode;
    }
    autoInstance[row] = id;
    autoInstanceType[row] = type;

    if (customServices !== undefined && customServices[row] !== 0) {
      serviceId = customServices[row]!;
      serviceType = autoType.customService;
    } else if (service[row] !== 0) {
      serviceId = service[row]!;
      serviceType = autoType.podService;
    } else if (podGroup[row] !== 0) {
      serviceId = podGroup[row]!;
      serviceType = words[found[row]! * WORDS + word.podGroupType]!;
    } else if (gprocess[row] !== 0) {
      serviceId = gprocess[row]!;
      serviceType = autoType.process;
    } else if (podCluster[row] !== 0) {
      serviceId = podCluster[row]!;
      serviceType = autoType.podCluster;
    }
    autoService[row] = serviceId;
    autoServiceType[row] = serviceType;
  }
}

export interface AutoTagInputs {
  readonly found: Uint32Array;
  readonly table: ResourceTable;
  readonly customServices?: Uint32Array | undefined;
}
