import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readAddress } from '../../src/ir/imports/address.ts';
import { refused } from '../harness/addresses.ts';

const test = suite('import addresses');

for (const [address, reason] of refused) {
	test(`refuses ${JSON.stringify(address.slice(0, 70))}`, () => {
		const read = readAddress(address);
		assert.is(read.kind, 'bad');
		assert.ok(read.kind === 'bad' && read.why.includes(reason), read.kind === 'bad' ? read.why : '');
	});
}

test('takes what is spelled plainly, and keeps its parts apart', () => {
	assert.equal(readAddress('./a.prune'), { kind: 'file', up: 0, path: ['a.prune'] });
	assert.equal(readAddress('../../lib/a b (2).prune'), {
		kind: 'file',
		up: 2,
		path: ['lib', 'a b (2).prune'],
	});
	assert.equal(readAddress('./größe/a..b.prune'), { kind: 'file', up: 0, path: ['größe', 'a..b.prune'] });
	assert.equal(readAddress('npm:@acme/r@1.2.0-rc.1/vit/half.prune'), {
		...{ kind: 'npm', name: '@acme/r', version: '1.2.0-rc.1', path: ['vit', 'half.prune'] },
	});
	assert.equal(readAddress('git+https://example.org:8443/a/r.git//vit/half.prune#release/1.2'), {
		...{ kind: 'git', url: 'https://example.org:8443/a/r.git', host: 'example.org', ref: 'release/1.2' },
		path: ['vit', 'half.prune'],
	});
});

test.run();
