/** Errors of TLS that stay until somebody mends a certificate, an authority or an address. */
const TLS_PROBLEM =
  /^(?:ERR_TLS_|ERR_SSL_|ERR_OSSL_|CERT_|UNABLE_TO_|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|EPROTO)/;

/** What to do about a certificate that nobody known vouches for. */
const UNKNOWN_AUTHORITY = /^(?:UNABLE_TO_|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN)/;

/** Whether an error with this code of Node's is about TLS. */
export function isTlsProblem(code: string): boolean {
  return TLS_PROBLEM.test(code);
}

/** What in the configuration mends an error of TLS, to be put behind its text; empty where the text says it. */
export function tlsAdvice(code: string): string {
  if (UNKNOWN_AUTHORITY.test(code)) return '; put the certificate of who signed it into tls.ca-file';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID' || code === 'HOSTNAME_MISMATCH') {
    return '; put a name that the certificate has into tls.server-name';
  }
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG' || code === 'EPROTO') {
    return '; does it speak TLS at all?';
  }
  return '';
}

/** An error's text without what OpenSSL and Node put around it: places in their own sources, and advice about Node's own flags. */
export function plainTlsText(message: string): string {
  return message
    .replaceAll(
      /[0-9A-F]{8,16}:error:[0-9A-F]{8}:[\w ]{1,64}:[\w ]{0,64}:([^:]{1,128}):[^:]{1,256}:\d{1,6}:([^\n:]{0,128})/g,
      '$1 $2',
    )
    .replace(/; if the root CA is installed locally[^()]{0,128}/, '')
    .replaceAll(/\s+/g, ' ')
    .trim();
}
