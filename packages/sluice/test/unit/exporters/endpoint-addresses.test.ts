import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EndpointAddresses, type NamedEndpoint } from '../../../src/exporters/endpoint-addresses.ts';

/** With names that resolve as the map says now; others fail. */
function addressesOf(
  endpoints: () => readonly NamedEndpoint[],
  names: ReadonlyMap<string, readonly string[]>,
): EndpointAddresses {
  const lookup = (host: string): Promise<readonly string[]> => {
    const found = names.get(host);
    return found === undefined ? Promise.reject(new Error(`no such host ${host}`)) : Promise.resolve(found);
  };
  return new EndpointAddresses({ endpoints, lookup });
}

describe('addresses of endpoints', () => {
  test('names have all of theirs, addresses are themselves', async () => {
    const addresses = addressesOf(
      () => [
        { host: 'broker', port: 9092 },
        { host: '[2001:db8::1]', port: 443 },
        { host: '::ffff:192.0.2.7', port: 1 },
        { host: 'unknown', port: 2 },
      ],
      new Map([['broker', ['10.0.0.2', '10.0.0.1']]]),
    );
    assert.deepEqual(addresses.current, []);
    await addresses.refresh();
    assert.deepEqual(addresses.current, [
      { address: '10.0.0.1', port: 9092 },
      { address: '10.0.0.2', port: 9092 },
      { address: '2001:db8::1', port: 443 },
      { address: '192.0.2.7', port: 1 },
    ]);
  });

  test('the list is the same until something changes; a failure changes nothing', async () => {
    const names = new Map<string, readonly string[]>([['a', ['10.0.0.1', '10.0.0.2']]]);
    let endpoints: readonly NamedEndpoint[] = [{ host: 'a', port: 1 }];
    const addresses = addressesOf(() => endpoints, names);
    await addresses.refresh();
    const first = addresses.current;
    names.set('a', ['10.0.0.2', '10.0.0.1']);
    await addresses.refresh();
    assert.equal(addresses.current, first);
    names.delete('a');
    await addresses.refresh();
    assert.equal(addresses.current, first);
    names.set('a', ['10.0.0.3']);
    await addresses.refresh();
    assert.deepEqual(addresses.current, [{ address: '10.0.0.3', port: 1 }]);
    endpoints = [];
    await addresses.refresh();
    assert.deepEqual(addresses.current, []);
  });

  test('localhost, as the system knows it', async () => {
    const addresses = new EndpointAddresses({ endpoints: () => [{ host: 'localhost', port: 1 }], intervalMs: 5 });
    await addresses.start();
    addresses.stop();
    assert.ok(addresses.current.some(({ address }) => address === '127.0.0.1' || address === '::1'));
  });
});
