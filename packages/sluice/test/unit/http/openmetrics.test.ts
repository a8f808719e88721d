import assert from 'node:assert/strict';
import { test } from 'node:test';
import { prefersOpenMetrics, toOpenMetrics } from '../../../src/http/openmetrics.ts';

test('what scrapers and browsers accept', () => {
  const prometheus3 =
    'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,' +
    'text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1';
  assert.equal(prefersOpenMetrics(prometheus3), true);
  assert.equal(prefersOpenMetrics('text/plain;version=0.0.4;q=0.9,application/openmetrics-text;q=0.5'), false);
  assert.equal(prefersOpenMetrics('application/openmetrics-text'), true);
  assert.equal(prefersOpenMetrics('application/openmetrics-text;version=0.0.1'), false);
  assert.equal(prefersOpenMetrics('application/openmetrics-text;q=0'), false);
  assert.equal(prefersOpenMetrics('text/html,*/*;q=0.8'), false);
  assert.equal(prefersOpenMetrics(undefined), false);
});

test('Prometheus text becomes OpenMetrics', () => {
  const text = [
    '# HELP a_total Things',
    '# TYPE a_total counter',
    'a_total{x="1"} 2',
    '',
    '# HELP b Odd counter',
    '# TYPE b counter',
    'b 1',
    '',
    '# HELP c_total A gauge in spite of its name',
    '# TYPE c_total gauge',
    'c_total 3',
    '',
  ].join('\n');
  assert.deepEqual(toOpenMetrics(text).split('\n'), [
    '# HELP a Things',
    '# TYPE a counter',
    'a_total{x="1"} 2',
    '# HELP b Odd counter',
    '# TYPE b unknown',
    'b 1',
    '# HELP c_total A gauge in spite of its name',
    '# TYPE c_total gauge',
    'c_total 3',
    '# EOF',
    '',
  ]);
});
