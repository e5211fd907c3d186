/** Every row is what onnxruntime does: one test an example, one check a letter. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { operators } from '../../../src/ir/axes/table.ts';
import {
	distance,
	labelOf,
	Removing,
	trial,
	type Finding,
	type Trial,
	tolerance,
} from '../../harness/law.ts';

const test = suite('law');

/** Between equal and this, relative to the largest value, a run proves nothing either way. */
const apart = 20 * tolerance;

const sameSlots = (left: readonly number[], right: readonly number[]): boolean =>
	left.join() === right.join();

/** What a role must show, or what is wrong. */
function judge(found: Finding): string | undefined {
	const { role, carried, idle, zeroed, slots, refused, distance: away } = found;
	const seen = `carried ${String(carried)}, zeroing [${zeroed.join()}] of [${slots.join()}], ${refused ?? `off by ${away.toExponential(1)}`}`;
	const sound = ((): boolean => {
		switch (role) {
			case 'carried':
			case 'produced':
				return carried;
			case 'contracted':
				return sameSlots(zeroed, slots) && !idle;
			case 'recurrent':
				return !carried && zeroed.length > 0;
			default:
				return !carried && zeroed.length === 0 && away > apart;
		}
	})();
	return sound ? undefined : `${found.letter} is said to be ${role}; seen: ${seen}`;
}

/**
 * What may go must hold for the first draw; that it may not needs one draw that shows it (a maximum may be kept by luck), and
 * so does that positions act on each other.
 */
async function judgeDraws(one: Trial, letter: number): Promise<string | undefined> {
	let problem: string | undefined;
	for (let draw = 0; draw < 16; draw++) {
		const found = await new Removing(one, letter, draw).finding();
		problem = judge(found);
		if (problem === undefined || ['carried', 'produced', 'contracted'].includes(found.role)) break;
		if (found.role === 'recurrent' && found.zeroed.length === 0) break;
	}
	return problem;
}

async function check(one: Trial): Promise<void> {
	checkFacts(one);
	const problems: string[] = [];
	for (const [letter, { size }] of (one.row?.letters ?? []).entries()) {
		if (size < 2) continue;
		const problem = await judgeDraws(one, letter);
		if (problem !== undefined) problems.push(problem);
	}
	assert.equal(problems, []);
}

function checkFacts({ facts, full, label, unrelated }: Trial): void {
	for (const [slot, value] of full.entries()) {
		if (value === undefined) continue;
		const fact = facts.of(`o${slot}`);
		if (unrelated && fact?.sizes === undefined) continue;
		assert.equal(fact?.sizes, [...value.dims], `sizes of output ${slot}`);
		assert.is(fact?.type, value.type, `type of output ${slot}`);
		if (fact?.known === undefined) continue;
		const said = { ...value, data: fact.known.values };
		assert.ok(
			distance(said, value) < 1e-6,
			`values ${said.data.join()} of ${label} are ${value.data.join()}`,
		);
	}
}

for (const operator of operators) {
	for (const op of operator.ops) {
		for (const [at, example] of operator.examples.entries()) {
			if (example.noKernel !== undefined) continue;
			test(`${labelOf(op, operator.domain, example, at)} obeys its row`, async () => {
				await check(await trial(op, operator.domain, example, at));
			});
		}
	}
}

test('every operator has an example, or a reason why no axis runs through it', () => {
	const without = operators.filter(({ examples, note }) => examples.length === 0 && note === undefined);
	assert.equal(
		without.flatMap(({ ops }) => ops),
		[],
	);
});

test('no operator stands twice', () => {
	const names = operators.flatMap(({ ops, domain }) => ops.map((op) => `${domain}:${op}`));
	assert.equal(
		names.filter((name, at) => names.indexOf(name) !== at),
		[],
	);
});

test.run();
