import { fileURLToPath } from 'node:url';
import { loadSync, type MessageTypeDefinition, type PackageDefinition } from '@grpc/proto-loader';
import { bug } from '../base/errors.ts';
import { checkMessage, type MessageShape } from './wire-limits.ts';

/**
 * The messages of agent.Synchronizer as values: names as in synchronizer.proto, absent fields absent, repeated ones always a list, 64-bit numbers as
 * decimal text. Only the fields that the hub looks at are listed here.
 */

export interface SyncRequest {
  readonly boot_time?: number;
  readonly state?: number;
  readonly revision?: string;
  readonly exception?: string;
  readonly exception_description?: string;
  readonly process_name?: string;
  readonly ctrl_ip?: string;
  readonly ctrl_mac?: string;
  readonly host?: string;
  readonly host_ips: readonly string[];
  readonly agent_group_id_request?: string;
  readonly agent_unique_identifier?: number;
  readonly team_id?: string;
  readonly cpu_num?: number;
  readonly memory_size?: string;
  readonly arch?: string;
  readonly os?: string;
  readonly kernel_version?: string;
  readonly current_k8s_image?: string;
  readonly kubernetes_watch_policy?: number;
  readonly kubernetes_cluster_id?: string;
  readonly kubernetes_cluster_name?: string;
  readonly kubernetes_cluster_md5?: string;
}

export interface SyncResponse {
  readonly status: number;
  readonly user_config: string;
  readonly version_platform_data: number;
  readonly version_acls: number;
  readonly version_groups: number;
  readonly dynamic_config: {
    readonly kubernetes_api_enabled: boolean;
    readonly enabled: boolean;
    readonly vpc_id: number;
    readonly agent_id: number;
    readonly team_id: number;
    readonly organize_id: number;
    readonly agent_type: number;
  };
}

export interface AgentIdMessage {
  readonly ip?: string;
  readonly mac?: string;
  readonly team_id?: string;
}

export interface NtpRequest {
  readonly request?: Uint8Array;
}

export interface InterfaceInfo {
  readonly mac?: string;
  /** `address/prefix length`. */
  readonly ip: readonly string[];
  readonly name?: string;
  /** What the interface belongs to; for one in another network namespace that one's name, in quotes. */
  readonly device_id?: string;
  readonly device_name?: string;
  readonly tap_index?: number;
  readonly netns?: string;
  readonly netns_id?: number;
  readonly if_type?: string;
}

export interface GenesisPlatformData {
  readonly raw_hostname?: string;
  readonly raw_ip_netns: readonly string[];
  /** Output of `ip address`, one text a network namespace. */
  readonly raw_ip_addrs: readonly string[];
  readonly interfaces: readonly InterfaceInfo[];
}

export interface ProcessInfo {
  readonly name?: string;
  readonly pid?: string;
  readonly process_name?: string;
  readonly cmdline?: string;
  readonly user?: string;
  /** Unix seconds. */
  readonly start_time?: number;
  readonly netns_id?: number;
  readonly container_id?: string;
}

export interface GenesisSyncRequest {
  readonly version?: string;
  readonly agent_id?: number;
  readonly source_ip?: string;
  readonly team_id?: string;
  readonly kubernetes_cluster_id?: string;
  readonly platform_data?: GenesisPlatformData;
  readonly process_data?: { readonly process_entries: readonly ProcessInfo[] };
  readonly agent_info?: AgentIdMessage;
}

export interface KubernetesApiSyncRequest {
  readonly cluster_id?: string;
  readonly version?: string;
  readonly error_msg?: string;
  readonly agent_id?: number;
  readonly source_ip?: string;
  readonly team_id?: string;
  readonly entries: readonly KubernetesEntry[];
}

export interface KubernetesEntry {
  /** Go type name of the object: `*v1.Pod`. */
  readonly type?: string;
  readonly info?: string;
  /** zlib-compressed JSON of a trimmed object. */
  readonly compressed_info?: Uint8Array;
}

export interface KubernetesClusterIdRequest {
  readonly ca_md5?: string;
  readonly team_id?: string;
  readonly kubernetes_cluster_name?: string;
}

/** One socket; process ids on the side (or sides) that are on the agent's host. */
export interface GpidEntry {
  readonly protocol?: number;
  readonly epc_id_0?: number;
  readonly ipv4_0?: number;
  readonly port_0?: number;
  readonly pid_0?: number;
  readonly epc_id_1?: number;
  readonly ipv4_1?: number;
  readonly port_1?: number;
  readonly pid_1?: number;
  readonly epc_id_real?: number;
  readonly ipv4_real?: number;
  readonly port_real?: number;
  readonly pid_real?: number;
  readonly role_real?: number;
  readonly netns_idx?: number;
}

export interface GpidSyncRequest {
  readonly ctrl_ip?: string;
  readonly ctrl_mac?: string;
  readonly agent_id?: number;
  readonly team_id?: string;
  readonly entries_compress_algorithm?: number;
  readonly entries: readonly GpidEntry[];
}

export interface RemoteExecResponse {
  readonly agent_id?: AgentIdMessage;
}

/** Messages that come in, by name. */
export interface Requests {
  readonly SyncRequest: SyncRequest;
  readonly NtpRequest: NtpRequest;
  readonly GenesisSyncRequest: GenesisSyncRequest;
  readonly KubernetesAPISyncRequest: KubernetesApiSyncRequest;
  readonly KubernetesClusterIDRequest: KubernetesClusterIdRequest;
  readonly GPIDSyncRequest: GpidSyncRequest;
  readonly RemoteExecResponse: RemoteExecResponse;
}

/** Messages that go out. */
export type ResponseName =
  | 'SyncResponse'
  | 'NtpResponse'
  | 'GenesisSyncResponse'
  | 'KubernetesAPISyncResponse'
  | 'KubernetesClusterIDResponse'
  | 'GPIDSyncResponse'
  | 'RemoteExecRequest';

/** Texts, byte strings and messages in one message: 20,000 sockets or processes with all their fields fit well. */
const MAX_VALUES = 250_000;

export interface Protocol {
  /** Throws Error for bytes that are no whole message, or too much of one. */
  decode<N extends keyof Requests>(name: N, bytes: Uint8Array): Requests[N];
  encode(name: ResponseName, message: object): Buffer;
}

/** Reads synchronizer.proto, which lies beside this file. */
export function loadProtocol(): Protocol {
  const path = fileURLToPath(new URL('./synchronizer.proto', import.meta.url));
  const definition = loadSync(path, { keepCase: true, longs: String, arrays: true });
  const shapes = new Map<string, MessageShape>();
  return {
    decode(name, bytes) {
      checkMessage(bytes, shapeOf(definition, name, shapes), MAX_VALUES);
      const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes);
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the types above are those of the definition; a test holds them together
      return messageOf(definition, name).deserialize(buffer) as Requests[typeof name];
    },
    encode: (name, message) => messageOf(definition, name).serialize(message),
  };
}

function messageOf(definition: PackageDefinition, name: string): MessageTypeDefinition<object, object> {
  const found = definition[`agent.${name}`];
  if (found === undefined || !('deserialize' in found)) return bug(`no message ${name} in synchronizer.proto`);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only messages have a deserializer
  return found as MessageTypeDefinition<object, object>;
}

/** The part of a message's own description (a DescriptorProto) that is needed here. */
interface Descriptor {
  readonly field?: readonly { readonly number: number; readonly type: string; readonly typeName?: string }[];
}

function shapeOf(definition: PackageDefinition, name: string, known: Map<string, MessageShape>): MessageShape {
  const existing = known.get(name);
  if (existing !== undefined) return existing;
  const messages = new Map<number, MessageShape>();
  const shape: MessageShape = { messages };
  known.set(name, shape);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the library types it as object
  const descriptor = messageOf(definition, name).type as Descriptor;
  for (const { number, type, typeName = '' } of descriptor.field ?? []) {
    if (type !== 'TYPE_MESSAGE') continue;
    messages.set(number, shapeOf(definition, typeName.split('.').at(-1) ?? '', known));
  }
  return shape;
}
