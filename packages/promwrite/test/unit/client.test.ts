import assert from 'node:assert/strict';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import {
  type Client,
  createClient,
  staleMarker,
  WriteAbortedError,
  WriteError,
  WriteTimeoutError,
  WriteValidationError,
  type ClientOptions,
  type FetchFunction,
  type RetryEvent,
} from '../../src/index.ts';
import { VERSION } from '../../src/version.ts';
import { encodeWriteRequest, REQUEST_V2, WRITE_REQUEST } from '../../src/wire/index.ts';
import { accept, Receiver, type Reply } from '../support/receiver.ts';
import { bitsOf } from '../support/bits.ts';

const series = { labels: { __name__: 'up', job: 'a' }, sample: { value: 1, timestamp: 1_700_000_000_000 } };
const quick = { minBackoff: 1, maxBackoff: 5 };

function client(receiver: Receiver, options: Partial<ClientOptions> = {}): Client {
  return createClient({ url: receiver.url, retry: quick, ...options });
}

/** Answers with each reply in turn, the last one for ever. */
function inTurn(receiver: Receiver, ...replies: (Reply | 'accept')[]): void {
  receiver.reply = (request, index) => {
    const reply = replies[Math.min(index, replies.length - 1)]!;
    return reply === 'accept' ? accept(request) : reply;
  };
}

async function failure(promise: Promise<unknown>): Promise<WriteError> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof WriteError, String(error));
    return error;
  }
  throw new Error('expected a WriteError; the write succeeded');
}

test('a 1.0 write has the headers of the specification and the data', async () => {
  await using receiver = await new Receiver().start();
  const result = await client(receiver).write([series]);
  const [request] = receiver.requests;
  assert.equal(request?.method, 'POST');
  assert.equal(request?.path, '/api/v1/write');
  assert.equal(request?.headers['content-type'], 'application/x-protobuf');
  assert.equal(request?.headers['content-encoding'], 'snappy');
  assert.equal(request?.headers['x-prometheus-remote-write-version'], '0.1.0');
  assert.equal(request?.headers['user-agent'], `promwrite/${VERSION}`);
  assert.equal(request?.headers['authorization'], undefined);
  assert.equal(request?.headers['retry-attempt'], undefined);
  assert.equal(request?.decoded.timeseries[0]?.samples[0]?.value, 1);
  const { durationMs, requestBytes, ...rest } = result;
  assert.ok(durationMs > 0 && requestBytes > 0);
  assert.deepEqual(rest, {
    status: 204,
    attempts: 1,
    protobufMessage: WRITE_REQUEST,
    stats: { samples: 1, histograms: 0, exemplars: 0, confirmed: false },
    dropped: { samples: 0, histograms: 0, exemplars: 0, metadata: 0 },
  });
});

test('a 2.0 write has its headers and returns what the receiver confirms', async () => {
  await using receiver = await new Receiver().start();
  const result = await client(receiver, { protobufMessage: REQUEST_V2 }).write({
    ...series,
    exemplars: [{ labels: { trace_id: 'x' }, value: 2, timestamp: 3 }],
  });
  assert.equal(
    receiver.requests[0]?.headers['content-type'],
    'application/x-protobuf;proto=io.prometheus.write.v2.Request',
  );
  assert.equal(receiver.requests[0]?.headers['x-prometheus-remote-write-version'], '2.0.0');
  assert.deepEqual(result.stats, { samples: 1, histograms: 0, exemplars: 1, confirmed: true });
});

test('a stale marker arrives with its exact bits', async () => {
  await using receiver = await new Receiver().start();
  await client(receiver).write({ labels: series.labels, samples: [staleMarker(5)] });
  const sample = receiver.requests[0]?.decoded.timeseries[0]?.samples[0];
  assert.equal(sample?.stale, true);
  assert.equal(bitsOf(sample?.value ?? 0), '7ff0000000000002');
});

test('push writes one sample with the current time', async () => {
  await using receiver = await new Receiver().start();
  const before = Date.now();
  await client(receiver).push('room_temperature_celsius', 21.5, { room: 'kitchen' });
  const [written] = receiver.requests[0]?.decoded.timeseries ?? [];
  assert.deepEqual(written?.labels, [
    { name: '__name__', value: 'room_temperature_celsius' },
    { name: 'room', value: 'kitchen' },
  ]);
  const time = Number(written?.samples[0]?.timestamp);
  assert.ok(time >= before && time <= Date.now());
});

test('timestamp 0 is the epoch, and dates and bigints are times', async () => {
  await using receiver = await new Receiver().start();
  const samples = [0, new Date(5), 7n].map((timestamp) => ({ value: 1, timestamp }));
  await client(receiver).write({ labels: series.labels, samples });
  assert.deepEqual(
    receiver.requests[0]?.decoded.timeseries[0]?.samples.map((sample) => sample.timestamp),
    [0, 5, 7],
  );
});

for (const [what, options, expected] of [
  [
    'basicAuth, UTF-8',
    { basicAuth: { username: 'jürgen', password: 'пароль:1' } },
    `Basic ${Buffer.from('jürgen:пароль:1').toString('base64')}`,
  ],
  ['basicAuth, provider', { basicAuth: async () => Promise.resolve({ username: 'a', password: 'b' }) }, 'Basic YTpi'],
  ['bearerToken with a newline', { bearerToken: 'token\n' }, 'Bearer token'],
  ['bearerToken, provider', { bearerToken: () => 'fresh' }, 'Bearer fresh'],
  ['authorization', { authorization: { type: 'Custom', credentials: 'x=1, y="2"' } }, 'Custom x=1, y="2"'],
  ['authorization without type', { authorization: { credentials: 'x' } }, 'Bearer x'],
  ['authorization as text', { authorization: 'Digest abc' }, 'Digest abc'],
] as const satisfies readonly (readonly [string, Partial<ClientOptions>, string])[]) {
  test(`${what} becomes the Authorization header`, async () => {
    await using receiver = await new Receiver().start();
    await client(receiver, options).write(series);
    assert.equal(receiver.requests[0]?.headers['authorization'], expected);
  });
}

test('credentials in the url become basic authentication', async () => {
  await using receiver = await new Receiver().start();
  await createClient(receiver.url.replace('//', '//us%40er:p%3Ass@')).write(series);
  assert.equal(receiver.requests[0]?.headers['authorization'], `Basic ${btoa('us@er:p:ss')}`);
});

test('a provider is asked before every attempt, and its failure is retried', async () => {
  await using receiver = await new Receiver().start();
  inTurn(receiver, { status: 503 }, 'accept');
  let asked = 0;
  const result = await client(receiver, {
    bearerToken: () => {
      asked++;
      if (asked === 1) throw new Error('vault is sealed');
      return `token${asked}`;
    },
  }).write(series);
  assert.equal(result.attempts, 3);
  assert.deepEqual(
    receiver.requests.map((request) => request.headers['authorization']),
    ['Bearer token2', 'Bearer token3'],
  );
});

test('headers, tenant and those of a write come together', async () => {
  await using receiver = await new Receiver().start();
  const sender = client(receiver, { headers: { 'X-One': '1', 'X-Two': '2' }, tenant: 'team' });
  await sender.write(series, { headers: { 'x-two': 'zwei' } });
  await sender.write(series, { tenant: 'other' });
  await sender.write(series, { headers: { 'X-Scope-OrgID': 'third' } });
  const seen = receiver.requests.map(({ headers }) => [headers['x-one'], headers['x-two'], headers['x-scope-orgid']]);
  assert.deepEqual(seen, [
    ['1', 'zwei', 'team'],
    ['1', '2', 'other'],
    ['1', '2', 'third'],
  ]);
});

test('options are checked at once, and errors never show secrets', async () => {
  const url = 'http://user:s3cret@host/write?token=s3cret';
  for (const [options, message] of [
    [{ url: 's3cret' }, /absolute address/],
    [{ url: 'ftp://host/s3cret' }, /http:\/\/ or https:\/\//],
    [{ url, bearerToken: 's3cret' }, /credentials once/],
    [{ url: 'http://h', basicAuth: { username: 'a:b', password: 's3cret' } }, /without a colon/],
    [{ url: 'http://h', bearerToken: 's3cret\u0000x' }, /visible ASCII/],
    [{ url: 'http://h', bearerToken: ' ' }, /visible ASCII|non-empty/],
    [{ url: 'http://h', bearerToken: 'a', basicAuth: { username: 'a', password: 's3cret' } }, /one of basicAuth/],
    [{ url: 'http://h', headers: { Authorization: 's3cret' } }, /Authorization: the name is reserved; use basicAuth/],
    [{ url: 'http://h', headers: { 'content-TYPE': 's3cret' } }, /reserved/],
    [{ url: 'http://h', headers: { 'X-Key': 's3cret\nx' } }, /cannot carry/],
    [{ url: 'http://h', headers: { 'X Key': 's3cret' } }, /not a valid header name/],
    [{ url: 'http://h', headers: { 'X-Scope-OrgID': 'a' }, tenant: 'b' }, /one of them/],
    [{ url: 'http://h', timeout: 0 }, /timeout/],
    [{ url: 'http://h', protobufMessage: 'v2' }, /protobufMessage/],
    [{ url: 'http://h', retry: { maxRetries: -1 } }, /retry.maxRetries/],
    [{ url: 'http://h', retry: { maxretries: 1 } }, /retry: "maxretries" is not an option/],
    [{ url: 'http://h', retry: 3 }, /retry: 3 is not an option/],
    [{ url: 'http://h', timeOut: 5 }, /"timeOut" is not an option/],
    [undefined, /an address or options with a url; got neither/],
    [null, /an address or options with a url; got neither/],
    [9090, /an address or options with a url; got neither/],
  ] as const) {
    assert.throws(
      () => createClient(options as unknown as ClientOptions),
      (error) => error instanceof Error && message.test(error.message) && !error.message.includes('s3cret'),
      JSON.stringify(options),
    );
  }
  const dead = createClient({ url: 'http://user:s3cret@127.0.0.1:1/write?token=s3cret', retry: false });
  const error = await failure(dead.push('up', 1));
  assert.match(error.message, /^cannot write to http:\/\/127.0.0.1:1\/write: no answer was received/);
  assert.ok(!error.message.includes('s3cret'));
  await assert.rejects(dead.push('up', 1, {}, { headers: { Host: 'x' } }), /reserved/);
});

test('invalid data is refused before anything is sent', async () => {
  await using receiver = await new Receiver().start();
  await assert.rejects(client(receiver).write({ labels: { job: 'a' }, sample: { value: 1 } }), WriteValidationError);
  await assert.rejects(client(receiver).write(undefined as never), TypeError);
  await assert.rejects(client(receiver).write({ series: [] } as never), TypeError);
  assert.equal(receiver.requests.length, 0);
});

test('sanitize mends names, leaves out the rest and says how much', async () => {
  await using receiver = await new Receiver().start();
  const input = [
    {
      labels: { __name__: 'a-b', 'c.d': 'x', empty: '', n: 5 },
      samples: [
        { value: 2, timestamp: 2 },
        { value: 1, timestamp: 1 },
        { value: 'x', timestamp: 3 },
      ],
    },
    { labels: { job: 'nameless' }, sample: { value: 1 } },
  ];
  const copy = structuredClone(input);
  const result = await client(receiver, { validation: 'sanitize' }).write(input as never);
  assert.deepEqual(input, copy);
  assert.deepEqual(result.dropped, { samples: 2, histograms: 0, exemplars: 0, metadata: 0 });
  const [written, ...others] = receiver.requests[0]?.decoded.timeseries ?? [];
  assert.equal(others.length, 0);
  assert.deepEqual(
    written?.labels.map(({ name, value }) => `${name}=${value}`),
    ['__name__=a_b', 'c_d=x', 'n=5'],
  );
  assert.deepEqual(
    written?.samples.map((sample) => sample.value),
    [1, 2],
  );
});

for (const status of [400, 401, 403, 404, 409, 413, 415, 422, 429]) {
  test(`${status} is not retried`, async () => {
    await using receiver = await new Receiver().start();
    inTurn(receiver, { status, body: 'ups\n' });
    const error = await failure(client(receiver).write(series));
    assert.equal(receiver.requests.length, 1);
    assert.equal(error.statusCode, status);
    assert.equal(error.body, 'ups\n');
    assert.equal(error.retryable, status === 429);
    assert.equal(error.attempts, 1);
    assert.match(error.message, new RegExp(`expected status 2xx; got ${status}: ups$`));
  });
}

for (const status of [500, 502, 503, 504]) {
  test(`${status} is retried with Retry-Attempt until it succeeds`, async () => {
    await using receiver = await new Receiver().start();
    inTurn(receiver, { status }, { status }, 'accept');
    const result = await client(receiver).write(series);
    assert.equal(result.attempts, 3);
    assert.deepEqual(
      receiver.requests.map((request) => request.headers['retry-attempt']),
      [undefined, '1', '2'],
    );
    assert.deepEqual(receiver.requests[0]?.decoded, receiver.requests[2]?.decoded);
  });
}

test('a dropped connection is retried', async () => {
  await using receiver = await new Receiver().start();
  inTurn(receiver, { drop: true }, 'accept');
  assert.equal((await client(receiver).write(series)).attempts, 2);
});

test('429 is retried where asked for', async () => {
  await using receiver = await new Receiver().start();
  inTurn(receiver, { status: 429 }, 'accept');
  assert.equal((await client(receiver, { retry: { ...quick, retryOnHttp429: true } }).write(series)).attempts, 2);
});

test('retries end: by count, by time, or not at all', async () => {
  await using receiver = await new Receiver().start();
  inTurn(receiver, { status: 500 });
  assert.equal((await failure(client(receiver, { retry: { ...quick, maxRetries: 2 } }).write(series))).attempts, 3);
  assert.equal((await failure(client(receiver).write(series, { retry: false }))).attempts, 1);
  assert.equal(
    (await failure(client(receiver, { retry: { minBackoff: 1000, maxElapsed: 500 } }).write(series))).attempts,
    1,
  );
});

test('the back-off doubles up to its maximum; Retry-After replaces it', async () => {
  await using receiver = await new Receiver().start();
  inTurn(
    receiver,
    { status: 500 },
    { status: 500 },
    { status: 500 },
    { status: 500, headers: { 'Retry-After': '1' } },
    'accept',
  );
  const events: RetryEvent[] = [];
  const onRetry = (event: RetryEvent): number => events.push(event);
  const started = performance.now();
  await client(receiver, { retry: { minBackoff: 4, maxBackoff: 8, jitter: false }, onRetry }).write(series);
  assert.deepEqual(
    events.map(({ attempt, delayMs }) => [attempt, delayMs]),
    [
      [1, 4],
      [2, 8],
      [3, 8],
      [4, 1000],
    ],
  );
  assert.equal(events[3]?.error.retryAfter, 1000);
  assert.ok(performance.now() - started >= 990);
});

test('a Retry-After in the past or without sense is ignored', async () => {
  await using receiver = await new Receiver().start();
  const past = 'Sun, 06 Nov 1994 08:49:37 GMT';
  inTurn(
    receiver,
    ...['0', '-5', 'soon', '1.5', past].map((value) => ({ status: 503, headers: { 'Retry-After': value } })),
    'accept',
  );
  assert.equal((await client(receiver).write(series)).attempts, 6);
});

test('no answer in time is a WriteTimeoutError after all retries', async () => {
  await using receiver = await new Receiver().start();
  inTurn(receiver, { delay: 'never' });
  const error = await failure(client(receiver, { timeout: 40, retry: { ...quick, maxRetries: 1 } }).write(series));
  assert.ok(error instanceof WriteTimeoutError);
  assert.equal(error.attempts, 2);
  assert.equal(error.retryable, true);
  assert.match(error.message, /within 40 ms/);
});

test('the time counts for providers and transports that never end, too', async () => {
  const never = new Promise<never>(() => undefined);
  const hung = { url: 'http://127.0.0.1:1/', timeout: 20, retry: false } as const;
  assert.ok(
    (await failure(createClient({ ...hung, bearerToken: () => never }).push('up', 1))) instanceof WriteTimeoutError,
  );
  assert.ok((await failure(createClient({ ...hung, fetch: () => never }).push('up', 1))) instanceof WriteTimeoutError);
});

test('a signal aborts a request, a wait for a retry, and a write not yet begun', async () => {
  await using receiver = await new Receiver().start();
  for (const [reply, when] of [
    [{ delay: 'never' }, 'request'],
    [{ status: 503, headers: { 'Retry-After': '60' } }, 'wait'],
  ] as const) {
    inTurn(receiver, reply);
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error(`enough of the ${when}`)), 40);
    const error = await failure(client(receiver).write(series, { signal: controller.signal }));
    assert.ok(error instanceof WriteAbortedError);
    assert.equal((error.cause as Error).message, `enough of the ${when}`);
  }
  const before = receiver.requests.length;
  assert.ok(
    (await failure(client(receiver).write(series, { signal: AbortSignal.abort() }))) instanceof WriteAbortedError,
  );
  assert.equal(receiver.requests.length, before);
});

test('an error body is kept up to its limit, however long it is', async () => {
  await using receiver = await new Receiver().start();
  inTurn(receiver, { status: 400, body: 'é'.repeat(500_000) });
  assert.equal((await failure(client(receiver).write(series))).body, 'é'.repeat(512));
  assert.equal((await failure(client(receiver, { maxErrorBodyBytes: 5 }).write(series))).body, 'éé');
  inTurn(receiver, { status: 400, body: 'a\u0007\nb' });
  const error = await failure(client(receiver).write(series));
  assert.equal(error.body, 'a\u0007\nb');
  assert.match(error.message, /a b$/);
});

test('a success body is ignored and the connection used again', async () => {
  await using receiver = await new Receiver().start();
  inTurn(receiver, { status: 200, body: 'thanks' }, { status: 299, body: 'x'.repeat(100_000) }, 'accept');
  const sender = client(receiver);
  assert.equal((await sender.write(series)).status, 200);
  assert.equal((await sender.write(series)).status, 299);
  assert.equal((await sender.write(series)).status, 204);
});

test('auto falls back to 1.0 on 415, at once and for good', async () => {
  await using receiver = await new Receiver().start();
  receiver.reply = (request) => (request.headers['content-type']?.includes('v2') ? { status: 415 } : {});
  const sender = client(receiver, { protobufMessage: 'auto' });
  assert.equal(sender.protobufMessage, REQUEST_V2);
  const result = await sender.write(series);
  assert.deepEqual([result.attempts, result.protobufMessage], [2, WRITE_REQUEST]);
  assert.equal((await sender.write(series)).attempts, 1);
  assert.equal(sender.protobufMessage, WRITE_REQUEST);
  assert.equal(receiver.requests.length, 3);
});

test('auto takes a 2xx without written headers for a receiver that lost the data', async () => {
  await using receiver = await new Receiver().start();
  inTurn(receiver, {});
  const warnings: string[] = [];
  const sender = client(receiver, { protobufMessage: 'auto', logger: { warn: (text) => warnings.push(text) } });
  const result = await sender.write(series);
  assert.deepEqual([result.attempts, result.protobufMessage, result.stats.samples], [2, WRITE_REQUEST, 1]);
  assert.equal(warnings.length, 1);
  const error = await failure(client(receiver, { protobufMessage: REQUEST_V2 }).write(series));
  assert.match(error.message, /does not know remote write 2.0/);
});

test('auto stays with 2.0 where it works, and takes a bare 400 for old only if told so', async () => {
  await using receiver = await new Receiver().start();
  assert.equal((await client(receiver, { protobufMessage: 'auto' }).write(series)).protobufMessage, REQUEST_V2);
  receiver.reply = (request) => (request.headers['content-type']?.includes('v2') ? { status: 400 } : {});
  assert.equal((await failure(client(receiver, { protobufMessage: 'auto' }).write(series))).statusCode, 400);
  const result = await client(receiver, { protobufMessage: 'auto', fallbackOn400: true }).write(series);
  assert.equal(result.protobufMessage, WRITE_REQUEST);
});

test('auto leaves out custom buckets after falling back, and counts them', async () => {
  await using receiver = await new Receiver().start();
  inTurn(receiver, { status: 415 }, {});
  const histogram = { kind: 'integer', count: 0, sum: 0, schema: -53, customValues: [1], timestamp: 1 } as const;
  const result = await client(receiver, { protobufMessage: 'auto' }).write({ ...series, histograms: [histogram] });
  assert.deepEqual([result.dropped.histograms, result.stats.histograms, result.stats.samples], [1, 0, 1]);
});

function counts(samples: number): Record<string, string> {
  return { 'X-Prometheus-Remote-Write-Samples-Written': String(samples) };
}

test('2.0: a 2xx that confirms nothing is an error, a partial one a result, a 400 tells what was written', async () => {
  await using receiver = await new Receiver().start();
  const two = { ...series, samples: [{ value: 2, timestamp: 1_700_000_000_001 }] };
  const sender = client(receiver, { protobufMessage: REQUEST_V2 });
  inTurn(receiver, { headers: counts(0) });
  const none = await failure(sender.write(two));
  assert.match(none.message, /none of 2 samples/);
  assert.deepEqual([none.retryable, none.statusCode], [false, 204]);
  inTurn(receiver, { headers: counts(1) });
  assert.deepEqual((await sender.write(two)).stats, { samples: 1, histograms: 0, exemplars: 0, confirmed: true });
  inTurn(receiver, { status: 400, headers: counts(1) });
  assert.deepEqual((await failure(sender.write(two))).stats, {
    samples: 1,
    histograms: 0,
    exemplars: 0,
    confirmed: true,
  });
});

test('redirects are followed by POST; credentials and custom headers stay with their origin', async () => {
  await using target = await new Receiver().start();
  for (const status of [301, 302, 307, 308]) {
    await using first = await new Receiver().start();
    inTurn(first, { status, headers: { Location: '/moved' } }, { status, headers: { Location: target.url } });
    const before = target.requests.length;
    await client(first, { bearerToken: 'secret', headers: { 'X-Key': 'secret' }, tenant: 'team' }).write(series);
    assert.equal(first.requests[1]?.path, '/moved');
    assert.equal(first.requests[1]?.headers['authorization'], 'Bearer secret');
    const last = target.requests[before];
    assert.equal(last?.method, 'POST');
    assert.deepEqual(
      [
        last?.headers['authorization'],
        last?.headers['x-key'],
        last?.headers['x-scope-orgid'],
        last?.headers['content-encoding'],
      ],
      [undefined, undefined, undefined, 'snappy'],
    );
    assert.equal(last?.decoded.timeseries.length, 1);
  }
});

test('redirects that cannot be followed are errors: 303, loops, other schemes, and where it is turned off', async () => {
  await using receiver = await new Receiver().start();
  for (const [reply, options, requests] of [
    [{ status: 303, headers: { Location: '/x' } }, {}, 1],
    [{ status: 307, headers: { Location: '/x' } }, {}, 11],
    [{ status: 307, headers: { Location: 'file:///etc/passwd' } }, {}, 1],
    [{ status: 307, headers: { Location: '/x' } }, { followRedirects: false }, 1],
  ] as const) {
    receiver.requests.length = 0;
    inTurn(receiver, reply);
    const error = await failure(client(receiver, options).write(series));
    assert.deepEqual([error.statusCode, error.retryable, receiver.requests.length], [reply.status, false, requests]);
  }
});

test('writeProto sends bytes as they are; sendProto makes one attempt and never throws for the receiver', async () => {
  await using receiver = await new Receiver().start();
  const bytes = encodeWriteRequest({ timeseries: [series] });
  const sender = client(receiver);
  await sender.writeProto(bytes);
  assert.equal(receiver.requests[0]?.decoded.timeseries.length, 1);
  assert.deepEqual(await sender.sendProto(bytes), { kind: 'sent' });
  inTurn(receiver, { status: 503, headers: { 'Retry-After': '7' } });
  const retry = await sender.sendProto(bytes);
  assert.ok(retry.kind === 'retry' && retry.afterMs === 7000);
  inTurn(receiver, { status: 400 });
  assert.equal((await sender.sendProto(bytes)).kind, 'rejected');
});

test('close refuses further writes and waits for, or aborts, those under way', async () => {
  await using receiver = await new Receiver().start();
  inTurn(receiver, { delay: 50 });
  const patient = client(receiver);
  const write = patient.write(series);
  await patient.close();
  assert.equal((await write).status, 204);
  assert.ok((await failure(patient.write(series))) instanceof WriteAbortedError);
  inTurn(receiver, { delay: 'never' });
  const hasty = client(receiver);
  const doomed = failure(hasty.write(series));
  await hasty.close({ abort: true });
  assert.ok((await doomed) instanceof WriteAbortedError);
});

test('hooks see every attempt, and a hook that throws harms nothing', async () => {
  await using receiver = await new Receiver().start();
  inTurn(receiver, { status: 500 }, 'accept');
  const seen: unknown[] = [];
  await client(receiver, {
    onRequest: (event) => {
      seen.push(['request', event.attempt]);
      throw new Error('hook');
    },
    onResponse: (event) => seen.push(['response', event.attempt, event.status]),
    onRetry: (event) => seen.push(['retry', event.attempt]),
  }).write(series);
  assert.deepEqual(seen, [
    ['request', 1],
    ['response', 1, 500],
    ['retry', 1],
    ['request', 2],
    ['response', 2, 204],
  ]);
});

test('fetch and dispatcher are injectable', async () => {
  const seen: unknown[] = [];
  const dispatcher = { name: 'agent' };
  const fetch: FetchFunction = (url, init) => {
    seen.push([url, init.redirect, (init as { dispatcher?: unknown }).dispatcher === dispatcher]);
    return Promise.resolve({ status: 202, headers: { get: () => null }, text: () => Promise.resolve('') });
  };
  const result = await createClient({ url: new URL('http://host/w'), fetch, dispatcher }).write(series);
  assert.equal(result.status, 202);
  assert.deepEqual(seen, [['http://host/w', 'manual', true]]);
});

test('a dispatcher that does not fit fetch is told at once, not retried', async () => {
  let calls = 0;
  const fetch: FetchFunction = () => {
    calls++;
    const cause = Object.assign(new Error('invalid onRequestStart method'), { code: 'UND_ERR_INVALID_ARG' });
    return Promise.reject(new TypeError('fetch failed', { cause }));
  };
  const error = await failure(createClient({ url: 'http://host/w', fetch, dispatcher: {} }).push('up', 1));
  assert.match(error.message, /fetch cannot use the dispatcher .* the same undici/);
  assert.deepEqual([calls, error.retryable], [1, false]);
});

test('a hundred writes at once do not disturb each other', async () => {
  await using receiver = await new Receiver().start();
  const warnings: Error[] = [];
  const onWarning = (warning: Error): number => warnings.push(warning);
  process.on('warning', onWarning);
  const sender = client(receiver);
  const { signal } = new AbortController();
  await Promise.all(Array.from({ length: 100 }, (_, index) => sender.push('n', index, {}, { signal })));
  await new Promise((resolve) => setTimeout(resolve, 10));
  process.off('warning', onWarning);
  const values = receiver.requests.map((request) => request.decoded.timeseries[0]?.samples[0]?.value ?? -1);
  assert.deepEqual(
    values.toSorted((a, b) => a - b),
    Array.from({ length: 100 }, (_, index) => index),
  );
  assert.deepEqual(warnings, []);
});

test('a body without an end does not hold up the error', async () => {
  const headers: IncomingHttpHeaders[] = [];
  const server = createServer((request, response) => {
    headers.push(request.headers);
    response.writeHead(400);
    const timer = setInterval(() => response.write('x'.repeat(100)), 1);
    response.on('close', () => clearInterval(timer));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const error = await failure(createClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`).push('up', 1));
  assert.equal(error.body.length, 1024);
  server.closeAllConnections();
  server.close();
});
