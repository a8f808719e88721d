import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  Metadata,
  Server,
  ServerCredentials,
  type sendUnaryData,
  type ServerUnaryCall,
  type status,
} from '@grpc/grpc-js';
import { gunzipSync } from 'node:zlib';
import { decode, encode, type TraceRequest } from '../../../unit/exporters/opentelemetry/otlp-messages.ts';

/** Receivers of OTLP that do as they are told, request by request; without an answer in the list they take what comes. */

export const tlsFile = (name: string): string =>
  fileURLToPath(new URL(`../../../fixtures/tls/${name}`, import.meta.url));

export interface Received {
  readonly request: TraceRequest;
  readonly headers: Readonly<Record<string, string | undefined>>;
}

export type GrpcAnswer =
  | { readonly kind: 'response'; readonly message: object }
  | { readonly kind: 'status'; readonly code: status; readonly details: string; readonly metadata?: Metadata }
  | { readonly kind: 'hang' };

interface Receiver<Answer> {
  readonly port: number;
  readonly received: Received[];
  readonly answers: Answer[];
  readonly stop: () => Promise<void>;
}

interface ListenOptions {
  readonly tls?: boolean;
  /** Clients must show a certificate. */
  readonly asksClients?: boolean;
  readonly port?: number;
}

const EXPORT = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';

export async function grpcReceiver(t: TestContext, options: ListenOptions = {}): Promise<Receiver<GrpcAnswer>> {
  const received: Received[] = [];
  const answers: GrpcAnswer[] = [];
  const server = new Server({ 'grpc.max_receive_message_length': 4 * 2 ** 20 });
  const handle = (call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) => {
    const headers = Object.fromEntries(
      Object.entries(call.metadata.getMap()).map(([name, value]) => [name, String(value)]),
    );
    received.push({ request: decode('ExportTraceServiceRequest', call.request), headers });
    const next = answers.shift() ?? { kind: 'response', message: {} };
    if (next.kind === 'response') answer(null, encode('ExportTraceServiceResponse', next.message));
    else if (next.kind === 'status') answer({ ...next, metadata: next.metadata ?? new Metadata() });
  };
  const asIs = (message: Buffer) => message;
  server.register(EXPORT, handle, asIs, asIs, 'unary');
  const credentials = options.tls === true ? grpcTls(options.asksClients === true) : ServerCredentials.createInsecure();
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${options.port ?? 0}`, credentials, (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
  const stop = (): Promise<void> => {
    server.forceShutdown();
    return Promise.resolve();
  };
  t.after(stop);
  return { port, received, answers, stop };
}

function grpcTls(asksClients: boolean): ServerCredentials {
  const pair = {
    private_key: readFileSync(tlsFile('server-key.pem')),
    cert_chain: readFileSync(tlsFile('server.pem')),
  };
  return ServerCredentials.createSsl(readFileSync(tlsFile('ca.pem')), [pair], asksClients);
}

/** A status that says when to come back. */
export function retryInfo(seconds: number, nanos: number): Metadata {
  const delay = { retryDelay: { seconds, nanos } };
  const detail = { typeUrl: 'type.googleapis.com/google.rpc.RetryInfo', value: encode('RetryInfo', delay) };
  const metadata = new Metadata();
  metadata.set('grpc-status-details-bin', encode('RpcStatus', { code: 14, message: 'later', details: [detail] }));
  return metadata;
}

export type HttpAnswer =
  | { readonly kind: 'hang' | 'close' | 'close in the answer' }
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string | Buffer;
    };

interface HttpReceiver extends Receiver<HttpAnswer> {
  readonly paths: string[];
  readonly connections: () => number;
  /** Answers by what a request holds; undefined = as the list has it. */
  judge: ((received: Received) => HttpAnswer | undefined) | undefined;
}

export async function httpReceiver(t: TestContext, options: ListenOptions = {}): Promise<HttpReceiver> {
  const received: Received[] = [];
  const answers: HttpAnswer[] = [];
  const paths: string[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const serve = (request: IncomingMessage, response: ServerResponse) => {
    void bodyOf(request).then((body) => {
      paths.push(`${request.method} ${request.url}`);
      const one = { request: decode('ExportTraceServiceRequest', body), headers: plain(request.headers) };
      received.push(one);
      answerWith(receiver.judge?.(one) ?? answers.shift() ?? { kind: 'answer', status: 200 }, request, response);
    });
  };
  const server =
    options.tls === true
      ? createTlsServer(
          {
            key: readFileSync(tlsFile('server-key.pem')),
            cert: readFileSync(tlsFile('server.pem')),
            ca: readFileSync(tlsFile('ca.pem')),
            requestCert: options.asksClients === true,
          },
          serve,
        )
      : createServer(serve);
  server.on('connection', (socket: Socket) => {
    connections++;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const stop = async (): Promise<void> => {
    if (!server.listening) return;
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  };
  t.after(stop);
  const { port } = server.address() as AddressInfo;
  const receiver: HttpReceiver = {
    port,
    received,
    answers,
    stop,
    paths,
    connections: () => connections,
    judge: undefined,
  };
  return receiver;
}

function answerWith(answer: HttpAnswer, request: IncomingMessage, response: ServerResponse): void {
  switch (answer.kind) {
    case 'hang':
      return;
    case 'close':
      request.socket.destroy();
      return;
    case 'close in the answer':
      response.writeHead(503, { 'content-length': '1000' });
      response.write('a part');
      setImmediate(() => request.socket.destroy());
      return;
    case 'answer':
      response.writeHead(answer.status, answer.headers);
      response.end(answer.body);
  }
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  return request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
}

function plain(headers: IncomingHttpHeaders): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}
