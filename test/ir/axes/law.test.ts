/** Every row of the operator table against onnxruntime: what a letter's role claims must be what happens. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openSession, type Value } from '../../../src/backends/ort/session.ts';
import { cutValue } from '../../../src/backends/ort/prove.ts';
import { stream } from '../../../src/data/generate.ts';
import { buildNet, type Net } from '../../../src/ir/axes/net.ts';
import { type Example, type Operator } from '../../../src/ir/axes/operator.ts';
import { rewriteCut } from '../../../src/ir/axes/rewrite.ts';
import { operators } from '../../../src/ir/axes/table.ts';
import { type Cut } from '../../../src/ir/axes/cut.ts';
import { inferFacts } from '../../../src/ir/graph/facts.ts';
import { applyPatch } from '../../../src/ir/graph/patch.ts';
import { type Model, type Tensor } from '../../../src/ir/graph/graph.ts';
import { ints } from '../../../src/ir/graph/tensor.ts';

const test = suite('the operator table, by law');

type Made = { readonly model: Model; readonly feeds: Map<string, Value> };

/** A one-node model of an example: tensors are fed, integer vectors are constants. */
function make({ ops, domain }: Operator, example: Example): Made {
	const next = stream(7);
	const feeds = new Map<string, Value>();
	const initializers = new Map<string, Tensor>();
	const inputs = example.inputs.map((input, at) => {
		const name = input === null ? '' : `in${at}`;
		if (input === null) return name;
		if ('ints' in input)
			initializers.set(name, ints(name, input.scalar ? [] : [input.ints.length], input.ints));
		else {
			const { sizes, type = 1, positive = false, below = 2 } = 'sizes' in input ? input : { sizes: input };
			const count = sizes.reduce((product, size) => product * size, 1);
			const draw = (): number =>
				type !== 1 ? Math.floor(next() * below) : positive ? next() + 0.5 : next() * 4 - 2;
			feeds.set(name, { type, dims: sizes, data: Float64Array.from({ length: count }, draw) });
		}
		return name;
	});
	const outputs = Array.from({ length: example.outputs ?? 1 }, (_, at) => `out${at}`);
	const node = {
		id: 0,
		name: 'it',
		op: ops[0] ?? '',
		domain,
		inputs,
		outputs,
		attributes: new Map(Object.entries(example.attributes ?? {})),
	};
	const opsets = new Map([
		['', example.opset ?? 17],
		['com.microsoft', 1],
	]);
	const graph = {
		name: 'law',
		inputs: [...feeds].map(([name, { type, dims }]) => ({ name, type, dims })),
		outputs: outputs.map((name) => ({ name, type: 1 })),
		nodes: [node],
		initializers,
		valueInfo: new Map(),
	};
	const model: Model = { irVersion: 8, opsets, graph, metadata: new Map(), functions: [] };
	const facts = inferFacts(model);
	const typed = outputs.map((name) => ({ name, type: facts.of(name)?.type ?? 1 }));
	return { model: { ...model, graph: { ...graph, outputs: typed } }, feeds };
}

async function run(model: Model, feeds: ReadonlyMap<string, Value>): Promise<Map<string, Value> | undefined> {
	const session = await openSession(model, { which: 'law', threads: 1 }).catch(() => undefined);
	const result = await session?.run(feeds).catch(() => undefined);
	await session?.release();
	return result;
}

/** The cut of one letter at the only node: every second coordinate but the last goes. */
function cutLetter(net: Net, letter: number): Cut {
	const node = net.nodes[0]!;
	const size = node.row!.letters[letter]!.size;
	const gone = Uint8Array.from({ length: size }, (_, at) =>
		at % 2 === 1 && at < size - 1 ? 1 : size === 2 && at === 0 ? 1 : 0,
	);
	const dead = new Map<NonNullable<(typeof node.inputs)[number]>, (Uint8Array | undefined)[]>();
	for (const term of node.row!.terms) {
		const tensor = term.side === 'in' ? node.inputs[term.slot] : node.outputs[term.slot];
		const part = term.parts.find((one) => one.letter === letter);
		if (tensor === undefined || part === undefined) continue;
		const set = Uint8Array.from({ length: tensor.sizes[term.axis]! }, (_, at) => {
			const coordinate = part.index === null ? at : part.index[at]!;
			return coordinate >= 0 && gone[coordinate] === 1 ? 1 : 0;
		});
		const axes = dead.get(tensor) ?? [];
		dead.set(tensor, axes);
		if (set.includes(1)) axes[term.axis] = set;
	}
	const sets: (Uint8Array | undefined)[] = [];
	sets[letter] = gone;
	return { dead, letters: new Map([[node, sets]]) };
}

const keptOf = (sets: readonly (Uint8Array | undefined)[] | undefined): Map<number, Int32Array> =>
	new Map(
		[...(sets ?? []).entries()].flatMap(([axis, set]) =>
			set ? [[axis, Int32Array.from([...set.keys()].filter((at) => !set[at]))] as const] : [],
		),
	);

function zeroed(value: Value, sets: readonly (Uint8Array | undefined)[] | undefined): Value {
	const data = Float64Array.from(value.data);
	for (const [axis, set] of (sets ?? []).entries()) {
		const inner = value.dims.slice(axis + 1).reduce((product, size) => product * size, 1);
		data.forEach((_, at) => {
			if (set?.[Math.floor(at / inner) % value.dims[axis]!]) data[at] = 0;
		});
	}
	return { ...value, data };
}

/** float32 sums of at most a few hundred terms agree to 1e-4. */
function close(a: Map<string, Value> | undefined, b: Map<string, Value> | undefined): boolean {
	if (a === undefined || b === undefined) return false;
	return [...a].every(([name, { data }]) => {
		const right = b.get(name)?.data ?? [];
		return (
			right.length === data.length &&
			Array.from(data).every((value, at) => Math.abs(value - right[at]!) <= 1e-4 * (1 + Math.abs(value)))
		);
	});
}

async function holds(made: Made, net: Net, letter: number): Promise<{ carried: boolean; zeroed: boolean }> {
	const cut = cutLetter(net, letter);
	const rewritten = rewriteCut(net, cut);
	if ('refused' in rewritten) return { carried: false, zeroed: false };
	const setsOf = (name: string): readonly (Uint8Array | undefined)[] | undefined =>
		cut.dead.get(net.tensors.get(name)!);
	const small = await run(
		applyPatch(made.model, { label: 'law', edits: rewritten.edits }),
		new Map([...made.feeds].map(([name, value]) => [name, cutValue(value, keptOf(setsOf(name)))])),
	);
	const shrink = (all: Map<string, Value> | undefined): Map<string, Value> | undefined =>
		all && new Map([...all].map(([name, value]) => [name, cutValue(value, keptOf(setsOf(name)))]));
	const whole = shrink(await run(made.model, made.feeds));
	const zero = shrink(
		await run(
			made.model,
			new Map([...made.feeds].map(([name, value]) => [name, zeroed(value, setsOf(name))])),
		),
	);
	return { carried: close(small, whole), zeroed: close(small, zero) };
}

for (const entry of operators) {
	for (const [at, example] of entry.examples.entries()) {
		test(`${entry.ops[0] ?? ''}, example ${at + 1}`, async () => {
			const made = make(entry, example);
			const facts = inferFacts(made.model);
			const net = buildNet(made.model, facts);
			const results = await run(made.model, made.feeds);
			assert.ok(results !== undefined, 'onnxruntime runs the example');
			for (const [name, { dims }] of results) assert.equal(facts.of(name)?.sizes, dims, `sizes of ${name}`);
			const { row } = net.nodes[0]!;
			for (const [letter, { name, size, role }] of (row?.letters ?? []).entries()) {
				if (size < 3 || !['carried', 'contracted'].includes(role)) continue;
				const seen = await holds(made, net, letter);
				if (role === 'carried') assert.ok(seen.carried, `${name} is carried`);
				else assert.ok(seen.zeroed && !seen.carried, `${name} is contracted`);
			}
		});
	}
}

test('operators without an example are few and known', () => {
	const bare = operators.filter(({ examples }) => examples.length === 0).flatMap(({ ops }) => ops);
	assert.equal(bare.sort(), [
		'DequantizeLinear',
		'EmbedLayerNormalization',
		'GroupQueryAttention',
		'LayerNormalization',
		'QuantizeLinear',
		'Resize',
		'SimplifiedLayerNormalization',
		'Upsample',
	]);
});

test.run();
