/** The checker of graphs and the checker of cuts: each rule has a model, or a cut, that breaks it. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { cutOf, verifyCut, type Cut } from '../../../src/ir/axes/cut.ts';
import { findFamilies } from '../../../src/ir/axes/families.ts';
import { buildNet } from '../../../src/ir/axes/net.ts';
import { rewriteCut } from '../../../src/ir/axes/rewrite.ts';
import { inferFacts } from '../../../src/ir/graph/facts.ts';
import { type Graph, type Model, type Node } from '../../../src/ir/graph/graph.ts';
import { applyPatch } from '../../../src/ir/graph/patch.ts';
import { inMemory } from '../../../src/ir/graph/tensor.ts';
import { verifyModel } from '../../../src/ir/graph/verify.ts';
import { encoder } from '../../harness/model.ts';

const test = suite('checkers');
const model = encoder(1, { heads: 4, width: 4, hidden: 12 });

function complaintsOf(change: (graph: Graph) => Partial<Graph>): string[] {
	const broken: Model = { ...model, graph: { ...model.graph, ...change(model.graph) } };
	return verifyModel(broken).map(({ message }) => message.replace(/^the graph is not well-formed: /, ''));
}
const [first, second] = model.graph.nodes as unknown as [Node, Node];
const swapped =
	(node: Node, change: Partial<Node>) =>
	(graph: Graph): Partial<Graph> => ({
		nodes: graph.nodes.map((one) => (one === node ? { ...one, ...change } : one)),
	});

test('a graph that is well-formed has no complaint', () => {
	assert.equal(verifyModel(model), []);
});

test('a model says which IR and which operators it is of', () => {
	const complaint = (change: Partial<Model>): string[] =>
		verifyModel({ ...model, ...change }).map(({ message }) => message);
	assert.match(complaint({ irVersion: 0 }).join(), /it names no IR version/);
	assert.match(complaint({ opsets: new Map() }).join(), /no version of them is named/);
});

test('each rule of the specification has its complaint', () => {
	const [weight] = model.graph.initializers.values();
	const [output] = first.outputs;
	const cases: readonly (readonly [(graph: Graph) => Partial<Graph>, RegExp])[] = [
		[({ inputs }) => ({ inputs: [...inputs, ...inputs] }), /input 'x' is listed twice/],
		[({ inputs }) => ({ inputs: [...inputs, { name: '', type: 1 }] }), /an input has no name/],
		[swapped(first, { op: '' }), /has no operator/],
		[
			({ nodes }) => ({ nodes: [...nodes, { ...first, name: 'idle', inputs: [], outputs: [] }] }),
			/'idle'.* reads nothing and makes nothing/,
		],
		[swapped(first, { inputs: ['nobody'] }), /reads 'nobody', which nobody makes/],
		[swapped(second, { outputs: first.outputs }), /is made twice/],
		[({ outputs }) => ({ outputs: [...outputs, { name: 'z', type: 1 }] }), /output 'z' is never made/],
		[swapped(first, { inputs: [second.outputs[0] ?? ''] }), /reads what is made from its own output/],
		[
			({ initializers }) => ({ initializers: new Map([...initializers, ['', { ...weight!, name: '' }]]) }),
			/an initializer has no name/,
		],
		[
			({ initializers }) => ({
				initializers: new Map([...initializers, ['t', { ...weight!, name: 't', type: 0 }]]),
			}),
			/initializer 't' has no element type/,
		],
		[
			({ initializers }) => ({
				initializers: new Map([
					...initializers,
					['t', { ...weight!, name: 't', bytes: inMemory(new Uint8Array(3)) }],
				]),
			}),
			/tensor 't' holds 3 bytes/,
		],
	];
	for (const [change, complaint] of cases) {
		const complaints = complaintsOf(change);
		assert.ok(
			complaints.some((one) => complaint.test(one)),
			`${complaint.source}: ${complaints.join('; ')}`,
		);
	}
	assert.ok(output !== undefined && second.inputs.includes(output), 'the first two nodes follow each other');
});

test('a cut with one position moved, or one tensor forgotten, is caught', () => {
	const net = buildNet(model, inferFacts(model));
	const families = findFamilies(net).filter(({ units }) => units > 1);
	assert.ok(families.length >= 2, 'heads and neurons at least');
	for (const family of families) {
		const cut = cutOf([{ family, units: new Set([0]) }]);
		assert.equal(verifyCut(net, cut), []);
		for (const [tensor, axes] of cut.dead) {
			const at = axes.findIndex((set) => set?.includes(0));
			if (at < 0) continue;
			const moved = Uint8Array.from(axes[at]!);
			moved[moved.indexOf(1)] = 0;
			moved[moved.lastIndexOf(0)] = 1;
			const shifted = axes.map((set, axis) => (axis === at ? moved : set));
			const wrong: Cut = { ...cut, dead: new Map([...cut.dead, [tensor, shifted]]) };
			assert.ok(verifyCut(net, wrong).length > 0, `moved in ${tensor.key}`);
			const forgotten = new Map(cut.dead);
			forgotten.delete(tensor);
			assert.ok(verifyCut(net, { ...cut, dead: forgotten }).length > 0, `forgotten ${tensor.key}`);
		}
	}
});

test('what a patch leaves is well-formed', () => {
	const net = buildNet(model, inferFacts(model));
	for (const family of findFamilies(net).filter(({ units }) => units > 1)) {
		const rewritten = rewriteCut(net, cutOf([{ family, units: new Set([0]) }]));
		if ('refused' in rewritten) continue;
		assert.equal(verifyModel(applyPatch(model, { label: 'cut', edits: rewritten.edits })), []);
	}
});

test.run();
