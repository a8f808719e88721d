/** Where on the path of a request it was seen: the numbers of agents (`tap_side`, `direction`), and the names that rows say. */
export const observationPoints = {
  rest: 0,
  c: 1,
  s: 2,
  local: 4,
  'c-nd': 9,
  's-nd': 10,
  'c-hv': 17,
  's-hv': 18,
  'c-gw-hv': 25,
  's-gw-hv': 26,
  'c-gw': 33,
  's-gw': 34,
  'c-p': 41,
  's-p': 42,
  app: 48,
  'c-app': 49,
  's-app': 50,
} as const;

/** Names by number, '' for numbers that mean nothing; numbers from the length on do not occur. */
export const observationPointNames: readonly string[] = namesByNumber();

function namesByNumber(): readonly string[] {
  const names = Array.from({ length: 51 }, () => '');
  for (const [name, number] of Object.entries(observationPoints)) names[number] = name;
  return names;
}

/** Role of the end that a direction names: 0 client, 1 server, 2 local, 3 none of them. */
export function roleOf(direction: number): 0 | 1 | 2 | 3 {
  switch (direction & 7) {
    case 1:
      return 0;
    case 2:
      return 1;
    case 4:
      return 2;
    default:
      return 3;
  }
}
