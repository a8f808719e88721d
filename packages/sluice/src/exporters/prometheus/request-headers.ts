import {
  CONTENT_ENCODING,
  CONTENT_TYPE_V1,
  CONTENT_TYPE_V2,
  REQUEST_V2,
  RETRY_ATTEMPT_HEADER,
  VERSION_HEADER,
  VERSION_V1,
  VERSION_V2,
} from 'promwrite/wire';
import type { ProtobufMessage } from 'promwrite';
import { VERSION } from '../../base/version.ts';

/** Headers of remote write for one attempt (0 = the first), beside those of the user, which cannot take the place of others. Names in lower case. */
export function requestHeaders(
  message: ProtobufMessage,
  attempt: number,
  personal: Readonly<Record<string, string>>,
): Record<string, string> {
  const isV2 = message === REQUEST_V2;
  return {
    ...personal,
    'content-encoding': CONTENT_ENCODING,
    'content-type': isV2 ? CONTENT_TYPE_V2 : CONTENT_TYPE_V1,
    'user-agent': `sluice/${VERSION}`,
    [VERSION_HEADER.toLowerCase()]: isV2 ? VERSION_V2 : VERSION_V1,
    ...(attempt > 0 ? { [RETRY_ATTEMPT_HEADER.toLowerCase()]: String(attempt) } : {}),
  };
}
