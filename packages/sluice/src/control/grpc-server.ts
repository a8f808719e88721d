import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { errorText } from '../base/errors.ts';
import type { ConnectionEnds } from './agents.ts';
import { CallRefused, GrpcCall, STATUS, type CallStatus } from './grpc-call.ts';
import {
  isCompression,
  MessageBudget,
  MessageReader,
  uncompress,
  type BodyProblem,
  type WireMessage,
} from './grpc-messages.ts';
import { GrpcSessions } from './grpc-sessions.ts';

/*
 * The few things of gRPC over HTTP/2 that agents use: calls of one message each way, and streams that stay open. Written here and not taken from a
 * library, so that what is refused before a method sees it (too large, not readable, of no method) is counted and told apart like everything else, and
 * so that an idle stream keeps little beyond its HTTP/2 state. Deadlines of callers (grpc-timeout) are theirs to keep: they reset the stream.
 */

/** One call of a method. */
export interface ServedCall {
  readonly answer: GrpcCall;
  readonly ends: ConnectionEnds;
}

/** A method; what it throws ends the call. */
export interface ServedMethod {
  readonly name: string;
  /** `one`: it is given the one message of the body; `many`: each as it comes, until the caller ends the body. */
  readonly takes: 'one' | 'many';
  /** Called before anything is read. */
  readonly open?: (call: ServedCall) => void;
  readonly take: (message: Buffer, call: ServedCall) => Promise<void> | void;
}

export interface GrpcServerOptions {
  readonly methodOf: (path: string) => ServedMethod | undefined;
  /** Counts a call that fails; what the caller is told. `method` is undefined for one that there is not. */
  readonly failed: (method: ServedMethod | undefined, error: unknown) => CallStatus;
  readonly maxMessageBytes: number;
}

export interface GrpcServer {
  /** Serves an accepted connection. */
  readonly inject: (socket: Socket, ends: ConnectionEnds) => void;
  readonly close: () => void;
}

/** Messages that have not come whole may hold so many times the greatest one, and at least so much. */
const HELD_MESSAGES = 4;
const LEAST_HELD_BYTES = 64 * 1024 * 1024;
/** A message has to come whole within this time. */
const MESSAGE_MS = 60_000;

/** The gRPC server; it listens nowhere itself, connections are given to it. */
export function createGrpcServer({ methodOf, failed, maxMessageBytes }: GrpcServerOptions): GrpcServer {
  const budget = new MessageBudget(Math.max(LEAST_HELD_BYTES, HELD_MESSAGES * maxMessageBytes));

  const serve = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, ends: ConnectionEnds) => {
    const answer = new GrpcCall(stream);
    const method = methodOf(headers[':path'] ?? '');
    if (headers['content-type']?.startsWith('application/grpc') !== true) {
      failed(method, new CallRefused('not_grpc', STATUS.unimplemented, 'expected a call of gRPC; got another request'));
      stream.respond({ ':status': 415 }, { endStream: true });
      stream.resume();
      return;
    }
    if (method === undefined) {
      const details = `there is no method ${headers[':path']}`;
      answer.end(failed(method, new CallRefused('unknown_method', STATUS.unimplemented, details)));
      stream.resume();
      return;
    }
    const encoding = headers['grpc-encoding'];
    serveCall({
      stream,
      method,
      call: { answer, ends },
      encoding: typeof encoding === 'string' ? encoding : 'identity',
    });
  };

  const serveCall = ({
    stream,
    method,
    call,
    encoding,
  }: {
    stream: ServerHttp2Stream;
    method: ServedMethod;
    call: ServedCall;
    encoding: string;
  }) => {
    const { answer } = call;
    const reader = new MessageReader(maxMessageBytes, budget);
    let only: WireMessage | undefined;
    let deadline: NodeJS.Timeout | undefined;

    /** Reads no further: what still comes is thrown away. Nothing of the request is kept. */
    const stop = () => {
      clearTimeout(deadline);
      reader.release();
      stream.off('data', onData).off('end', onEnd).off('close', stop);
      stream.resume();
    };
    const fail = (error: unknown) => {
      stop();
      if (!answer.isOver) answer.end(failed(method, error));
    };
    const take = async ({ bytes, isCompressed }: WireMessage) => {
      try {
        const message = isCompressed ? await uncompressed(bytes, encoding, maxMessageBytes) : bytes;
        await method.take(message, call);
      } catch (error) {
        fail(error);
      }
    };
    const wait = () => {
      deadline = setTimeout(() => fail(refusal('unfinished', maxMessageBytes)), MESSAGE_MS).unref();
    };
    const onData = (piece: Buffer) => {
      const read = reader.read(piece);
      if (typeof read === 'string') {
        fail(refusal(read, maxMessageBytes));
        return;
      }
      if (method.takes === 'many') {
        clearTimeout(deadline);
        if (!reader.isBetweenMessages) wait();
        for (const message of read) void take(message);
        return;
      }
      for (const message of read) {
        if (only !== undefined) {
          fail(new CallRefused('malformed', STATUS.invalidArgument, 'expected one message; got more'));
          return;
        }
        only = message;
      }
    };
    const onEnd = () => {
      const isWhole = reader.isBetweenMessages;
      const message = only;
      only = undefined;
      stop();
      if (!isWhole)
        fail(new CallRefused('malformed', STATUS.invalidArgument, 'expected a whole message; got a torn one'));
      else if (method.takes === 'many') answer.end(DONE);
      else if (message === undefined) {
        fail(new CallRefused('malformed', STATUS.invalidArgument, 'expected one message; got none'));
      } else void take(message);
    };

    try {
      method.open?.(call);
    } catch (error) {
      fail(error);
      return;
    }
    if (method.takes === 'one') wait();
    stream.on('data', onData).on('end', onEnd).on('close', stop);
  };

  const sessions = new GrpcSessions({ serve });
  return {
    inject: (socket, ends) => sessions.add(socket, ends),
    close: () => sessions.closeAll(),
  };
}

/** The status of a call that went as the caller wanted. */
export const DONE: CallStatus = { code: STATUS.ok, details: '' };

function refusal(problem: BodyProblem | 'unfinished', maxMessageBytes: number): CallRefused {
  switch (problem) {
    case 'too_large':
      return new CallRefused(
        problem,
        STATUS.resourceExhausted,
        `expected a message of at most ${maxMessageBytes} bytes (agents.max-message of the hub); got a larger one`,
      );
    case 'memory':
      return new CallRefused(problem, STATUS.unavailable, 'too many large messages come at once; try again');
    case 'malformed':
      return new CallRefused(problem, STATUS.invalidArgument, 'expected messages as gRPC frames them; got other bytes');
    case 'unfinished':
      return new CallRefused(
        problem,
        STATUS.deadlineExceeded,
        `expected the message within ${MESSAGE_MS / 1000} s; got a part of it`,
      );
  }
}

async function uncompressed(bytes: Buffer, encoding: string, maxMessageBytes: number): Promise<Buffer> {
  if (!isCompression(encoding)) {
    throw new CallRefused('malformed', STATUS.unimplemented, `there is no compression ${encoding} here`);
  }
  try {
    return await uncompress(bytes, encoding, maxMessageBytes);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE') {
      throw refusal('too_large', maxMessageBytes);
    }
    throw new CallRefused('malformed', STATUS.invalidArgument, `cannot uncompress the message: ${errorText(error)}`);
  }
}
