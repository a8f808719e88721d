/** Errors of TLS that stay until somebody mends a certificate, an authority or an address. */
const TLS_PROBLEM =
  /^(?:ERR_TLS_|ERR_SSL_|ERR_OSSL_|CERT_|UNABLE_TO_|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|EPROTO)/;

/** Whether an error with this code of Node's is about TLS. */
export function isTlsProblem(code: string): boolean {
  return TLS_PROBLEM.test(code);
}

const ADVICE: readonly (readonly [RegExp, string])[] = [
  [
    /UNABLE_TO_|SELF_SIGNED_CERT|self[- ]signed|unable to (?:verify|get)/,
    '; put the certificate of who signed it into tls.ca-file',
  ],
  [/ALTNAME_INVALID|HOSTNAME_MISMATCH|altnames/, '; put a name that the certificate has into tls.server-name'],
  [
    /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|wrong version number|packet length too long/,
    '; does it speak TLS at all?',
  ],
];

/** What in the configuration mends an error of TLS with this code or text, to be put behind it; empty where the text says it. */
export function tlsAdvice(told: string): string {
  return ADVICE.find(([words]) => words.test(told))?.[1] ?? '';
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
