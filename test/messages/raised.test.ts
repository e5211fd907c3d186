/** What a plan says of statements that a small encoder cannot carry out as they stand: every message from a real recipe. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { saveModel } from '../../src/backends/onnx/save.ts';
import { compile } from '../../src/compile.ts';
import { Fault } from '../../src/diagnostic.ts';
import { readProject } from '../../src/project/project.ts';
import { encoder } from '../harness/model.ts';

const test = suite('raised messages');
const folder = mkdtempSync(join(tmpdir(), 'prunec-test-'));
const model = join(folder, 'model.onnx');
test.before(() => {
	saveModel(encoder(4, { heads: 4, width: 8, hidden: 64 }), model);
});
test.after(() => {
	rmSync(folder, { recursive: true });
});

const plans: Readonly<Record<string, string>> = {
	'plan/empty-range': 'prune heads 25% in layers 6..12',
	'plan/already-removed': 'prune heads [1] in layers [2]; prune heads [1] in layers [2]',
	'plan/range-over-removed': 'prune layers [3]; prune heads 25% in layers 2..4',
	'plan/no-such-unit': 'prune heads [7] in layers [0]',
	'plan/nothing-selected': 'prune heads where importance > 2',
	'plan/everything-selected': 'prune heads where importance <= 1',
	'plan/aligned-away': 'prune ffn 5%',
	'plan/rank-saves-nothing': 'factorize ffn rank 31',
	'plan/nothing-found': 'prune units 25%',
	'plan/unmet-requirement': 'require convolutional; prune heads 25%',
	'plan/nothing-to-fold': 'fuse gates',
	'plan/no-exit': 'exit after layer 3 when confidence > 0.9',
	'plan/rising-schedule': 'prune tokens keep [50%, 70%] after layers [0, 2]',
};
for (const [code, recipe] of Object.entries(plans)) {
	test(`says ${code}`, async () => {
		const { diagnostics, steps } = await compile({ recipe, model, verify: false });
		const found = [...diagnostics, ...steps.flatMap(({ refused }) => refused)].map((one) => one.code);
		assert.ok(found.includes(code), `${recipe}: ${found.join(' ')}`);
	});
}

const projects: Readonly<Record<string, string>> = {
	'project/no-recipe': 'recipes: [absent]\n',
};
for (const [code, yaml] of Object.entries(projects)) {
	test(`says ${code}`, () => {
		writeFileSync(join(folder, 'prunec.yaml'), yaml);
		assert.throws(
			() => readProject(folder),
			(problem: unknown) => problem instanceof Fault && problem.diagnostics[0]?.code === code,
		);
	});
}

test('says project/none', () => {
	assert.throws(
		() => readProject(join(folder, 'absent')),
		(problem: unknown) => problem instanceof Fault && problem.diagnostics[0]?.code === 'project/none',
	);
});

test.run();
