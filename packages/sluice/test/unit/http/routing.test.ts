import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ServerRoute } from '../../../src/http/exchange.ts';
import { describeRoutes, groupRoutes } from '../../../src/http/routing.ts';

const route = (method: 'GET' | 'POST', path: string): ServerRoute => ({
  method,
  path,
  scope: 'read',
  handle: () => ({ status: 200 }),
});

test('routes of one path belong together', () => {
  const endpoints = groupRoutes([route('GET', '/a'), route('POST', '/b'), route('POST', '/a')]);
  assert.deepEqual(
    endpoints.map(({ path, routes }) => [path, [...routes.keys()]]),
    [
      ['/a', ['GET', 'POST']],
      ['/b', ['POST']],
    ],
  );
  assert.equal(describeRoutes(endpoints), 'GET|POST /a, POST /b');
});

test('two handlers for one route are a mistake in the program', () => {
  assert.throws(() => groupRoutes([route('GET', '/a'), route('GET', '/a')]), /BUG: two handlers for GET \/a/);
});
