/**
 * `promwrite/wire`: the codec of remote write 1.0 and 2.0 in both directions, without HTTP. For receivers, proxies and
 * tests. Everything here works on `Uint8Array` and runs wherever JavaScript runs.
 */
export { CUSTOM_BUCKETS_SCHEMA, reduceHistogram, validateHistogram } from '../codec/validate-histogram.ts';
export { decodeRequestV2 } from '../codec/request-v2-decode.ts';
export { decodeWriteRequest } from '../codec/write-request-decode.ts';
export { encodeRequestV2 } from '../codec/request-v2-encode.ts';
export { encodeWriteRequest } from '../codec/write-request-encode.ts';
export { DEFAULT_MAX_ELEMENTS } from '../codec/decoded.ts';
export type {
  DecodedExemplar,
  DecodedFamilyMetadata,
  DecodedFloatHistogram,
  DecodedHistogram,
  DecodedIntegerHistogram,
  DecodedMetadata,
  DecodedSample,
  DecodedStaleHistogram,
  DecodedTimeSeries,
  DecodedTimestamp,
  DecodedWriteRequest,
  DecodeOptions,
} from '../codec/decoded.ts';
export type { EncodeOptions } from '../codec/encode-options.ts';
export { METRIC_TYPES, RESET_HINTS } from '../codec/enums.ts';
export { isValidLabelName, isValidMetricName, METRIC_NAME } from '../codec/label-set.ts';
export type { NameValidationScheme } from '../codec/label-set.ts';
export { SymbolsTable } from '../codec/symbols-table.ts';
export { emptyTally } from '../codec/tally.ts';
export type { EncodeTally, PointCounts } from '../codec/tally.ts';
export type * from '../codec/time-series.ts';
export { staleMarker } from '../codec/time-series.ts';
export { WriteValidationError } from '../codec/validation-error.ts';
export {
  CONTENT_ENCODING,
  CONTENT_TYPE_V1,
  CONTENT_TYPE_V2,
  EXEMPLARS_WRITTEN_HEADER,
  HISTOGRAMS_WRITTEN_HEADER,
  parseContentType,
  REQUEST_V2,
  RETRY_ATTEMPT_HEADER,
  SAMPLES_WRITTEN_HEADER,
  TENANT_HEADER,
  VERSION_HEADER,
  VERSION_V1,
  VERSION_V2,
  WRITE_REQUEST,
} from './headers.ts';
export type { ProtobufMessage } from './headers.ts';
export { FIXED32, FIXED64, LENGTH_DELIMITED, ProtobufReader, VARINT } from './protobuf-reader.ts';
export { ProtobufWriter } from './protobuf-writer.ts';
export { DEFAULT_MAX_DECODED_BYTES, uncompressBlock, uncompressedLength } from './snappy-decode.ts';
export { compressBlock, maxCompressedLength } from './snappy-encode.ts';
export { isStaleNaN, isStaleNaNAt, STALE_NAN_HIGH, STALE_NAN_LOW, writeStaleNaN } from './stale-marker.ts';
export { compareUtf8, decodeUtf8 } from './utf8.ts';
export { WireError } from './wire-error.ts';
export type { WireErrorKind } from './wire-error.ts';
