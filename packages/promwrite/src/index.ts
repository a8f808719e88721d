/**
 * promwrite: a client for Prometheus remote write 1.0 and 2.0. The codec alone is at `promwrite/wire`.
 *
 * All times are milliseconds unless a name says otherwise.
 */
export type { Authorization, AuthorizationOptions, BasicAuth, Provider } from './authorization.ts';
export { Client, createClient } from './client.ts';
export type { DroppedCounts, WriteOptions, WriteResult } from './client.ts';
export type { NameValidationScheme } from './codec/label-set.ts';
export type { PointCounts } from './codec/tally.ts';
export type * from './codec/time-series.ts';
export { staleMarker } from './codec/time-series.ts';
export { WriteValidationError } from './codec/validation-error.ts';
export { WriteAbortedError, WriteError, WriteQueueFullError, WriteTimeoutError } from './errors.ts';
export type { WriteErrorDetails, WriteStats } from './errors.ts';
export { isStale } from './is-stale.ts';
export type { NormalSeries } from './normal-series.ts';
export type { ClientOptions, Logger, RequestEvent, ResponseEvent, RetryEvent, Validation } from './options.ts';
export { createQueue, WriteQueue } from './queue.ts';
export type { Overflow, QueueOptions } from './queue.ts';
export type { DropCounts, DropReason, QueueCounters } from './queue-counters.ts';
export { fromRegistry } from './registry.ts';
export type { MetricsRegistry, RegistryContents, RegistryMetric, RegistryOptions, RegistryValue } from './registry.ts';
export type { RetryOptions, RetryPolicy } from './retry.ts';
export type { SendOutcome } from './send-outcome.ts';
export type { FetchFunction, FetchInit, FetchResponse } from './transport.ts';
export type { ProtobufMessage } from './wire/headers.ts';
