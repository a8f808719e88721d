import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readIpAddress } from '../../../../src/tags/agents/ip-address.ts';

test('interfaces with the addresses that others can reach', () => {
  const text = [
    '1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000',
    '    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00',
    '    inet 127.0.0.1/8 scope host lo',
    '       valid_lft forever preferred_lft forever',
    '    inet6 ::1/128 scope host ',
    '2: eth0@if2: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default qlen 1000',
    '    link/ether 02:77:00:00:00:01 brd ff:ff:ff:ff:ff:ff link-netns other',
    '    inet 10.77.0.1/24 brd 10.77.0.255 scope global eth0',
    '       valid_lft forever preferred_lft forever',
    '    inet6 fd77:1::1/64 scope global nodad ',
    '    inet6 fe80::77:ff:fe00:1/64 scope link ',
    '3: tun0: <POINTOPOINT,UP> mtu 1500',
    '    link/none ',
    '    inet 10.8.0.1 peer 10.8.0.2/30 scope global tun0',
    '    inet nonsense scope global tun0',
  ].join('\n');
  assert.deepEqual(readIpAddress(text), [
    { name: 'lo', mac: 0, addresses: [] },
    {
      name: 'eth0',
      mac: 0x0277_0000_0001,
      addresses: [
        { ip: '10.77.0.1', prefixLength: 24 },
        { ip: 'fd77:1::1', prefixLength: 64 },
      ],
    },
    {
      name: 'tun0',
      mac: 0,
      addresses: [
        { ip: '10.8.0.1', prefixLength: 30 },
        // What is no address is found out by whoever reads it.
        { ip: 'nonsense', prefixLength: 32 },
      ],
    },
  ]);
});

test('anything else is no interface', () => {
  for (const text of ['', 'ip: command not found', '    inet 10.0.0.1/8 scope global eth0', '\0\n\n2:']) {
    assert.deepEqual(readIpAddress(text), []);
  }
  assert.deepEqual(readIpAddress('2: e: <UP>\n inet 10.0.0.1/99 scope global e\n inet\n inet6 /')[0]?.addresses, []);
});
