import protobuf from 'protobufjs';

/** Profiles as pprof has them, written by an independent library. */
const { root } = protobuf.parse(
  `
  syntax = "proto3";
  message Profile {
    repeated ValueType sample_type = 1;
    repeated Sample sample = 2;
    repeated Location location = 4;
    repeated Function function = 5;
    repeated string string_table = 6;
    int64 time_nanos = 9;
    int64 duration_nanos = 10;
  }
  message ValueType { int64 type = 1; int64 unit = 2; }
  message Sample { repeated uint64 location_id = 1; repeated int64 value = 2; repeated Label label = 3; }
  message Label { int64 key = 1; int64 str = 2; int64 num = 3; }
  message Location { uint64 id = 1; uint64 mapping_id = 2; uint64 address = 3; repeated Line line = 4; }
  message Line { uint64 function_id = 1; int64 line = 2; }
  message Function { uint64 id = 1; int64 name = 2; int64 system_name = 3; int64 filename = 4; }
`,
  { keepCase: true },
);
const profileType = root.lookupType('Profile');

/** A sample as people see it: frames outermost first, inlined ones in one location. */
export interface SampleSpec {
  readonly stack: readonly (string | readonly string[])[];
  readonly values: readonly (number | bigint)[];
  readonly tags?: Readonly<Record<string, string>>;
}

export interface ProfileSpec {
  readonly types: readonly (readonly [type: string, unit: string])[];
  readonly samples: readonly SampleSpec[];
  readonly timeNanos?: bigint;
  /** Ids begin there. */
  readonly firstId?: bigint;
}

export function pprofMessage({ types, samples, timeNanos = 0n, firstId = 1n }: ProfileSpec): Uint8Array<ArrayBuffer> {
  const strings = new Map([['', 0]]);
  const string = (text: string): number => {
    const known = strings.get(text) ?? strings.size;
    strings.set(text, known);
    return known;
  };
  const functions = new Map<string, string>();
  const functionOf = (name: string): string => {
    const id = functions.get(name) ?? String(firstId + BigInt(functions.size));
    functions.set(name, id);
    return id;
  };
  const locations = new Map<string, object>();
  const locationOf = (frames: readonly string[]): string => {
    const key = JSON.stringify(frames);
    const known = locations.get(key) as { readonly id: string } | undefined;
    if (known !== undefined) return known.id;
    const id = String(firstId + BigInt(locations.size));
    // Innermost first.
    const line = frames.map((name) => ({ function_id: functionOf(name), line: 7 })).toReversed();
    locations.set(key, { id, mapping_id: 1, address: String(0x1000n + BigInt(locations.size)), line });
    return id;
  };
  const object = {
    sample_type: types.map(([type, unit]) => ({ type: string(type), unit: string(unit) })),
    sample: samples.map(({ stack, values, tags = {} }) => ({
      location_id: stack.map((frame) => locationOf(typeof frame === 'string' ? [frame] : frame)).toReversed(),
      value: values.map(String),
      label: [
        ...Object.entries(tags).map(([key, text]) => ({ key: string(key), str: string(text) })),
        { key: string('bytes'), num: 512 },
      ],
    })),
    location: [...locations.values()],
    function: [...functions].map(([name, id]) => ({ id, name: string(name), filename: string('x.go') })),
    time_nanos: String(timeNanos),
    duration_nanos: '10000000000',
  };
  return encode({ ...object, string_table: [...strings.keys()] });
}

/** A profile from the fields of its message. */
export function encode(fields: object): Uint8Array<ArrayBuffer> {
  return new Uint8Array(profileType.encode(profileType.fromObject(fields)).finish());
}
