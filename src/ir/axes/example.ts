/** An operator's examples as its row sees them, without running anything. */
import { present } from '../../diagnostic.ts';
import { FLOAT, INT64 } from '../graph/dtype.ts';
import { inferFacts } from '../graph/facts.ts';
import { type Attribute, type Model, type Node, type Tensor, type ValueInfo } from '../graph/graph.ts';
import { tensorOf } from '../graph/tensor.ts';
import { type Example, type ExampleInput } from './operator.ts';
import { type NodeView } from './view.ts';

/** An operand of a model of one node: a constant of the model, or fed. */
export type Given = {
	readonly type: number;
	readonly dims: readonly number[];
	/** Elements of a constant. */
	readonly constant?: readonly number[];
};

/** One node and its operands. */
export type OneNode = {
	readonly op: string;
	readonly domain: string;
	/** Version of the operator set of the domain; by default the newest that onnxruntime has every operator of. */
	readonly opset?: number;
	readonly attributes: Readonly<Record<string, Attribute | undefined>>;
	readonly inputs: readonly (Given | undefined)[];
	/** Element types of the outputs; undefined is an absent one. */
	readonly outputs: readonly (number | undefined)[];
};

const newest = 21;

/** The model of one node; constants are initializers, the rest graph inputs `i0`, `i1`, … and outputs `o0`, … */
export function oneNodeModel({ op, domain, opset, attributes, inputs, outputs }: OneNode): Model {
	const node: Node = {
		id: 0,
		name: op,
		op,
		domain,
		inputs: inputs.map((input, slot) => (input === undefined ? '' : `i${slot}`)),
		outputs: outputs.map((type, slot) => (type === undefined ? '' : `o${slot}`)),
		attributes: new Map(
			Object.entries(attributes).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
		),
	};
	const fed: ValueInfo[] = [];
	const initializers = new Map<string, Tensor>();
	for (const [slot, input] of inputs.entries()) {
		const name = `i${slot}`;
		if (input?.constant !== undefined)
			initializers.set(name, tensorOf(name, input.type, input.dims, input.constant));
		else if (input !== undefined) fed.push({ name, type: input.type, dims: input.dims });
	}
	return {
		irVersion: 10,
		opsets: new Map([
			['', domain === '' ? (opset ?? newest) : newest],
			...(domain === '' ? [] : ([[domain, opset ?? 1]] as const)),
		]),
		metadata: new Map(),
		functions: [],
		graph: {
			name: 'one',
			nodes: [node],
			valueInfo: new Map(),
			inputs: fed,
			outputs: outputs.flatMap((type, slot) => (type === undefined ? [] : [{ name: `o${slot}`, type }])),
			initializers,
		},
	};
}

/** Which output slots an example asks for. */
export function wantedOutputs({ outputs = 1 }: Example): boolean[] {
	if (typeof outputs === 'number') return Array.from({ length: outputs }, () => true);
	return Array.from({ length: Math.max(...outputs) + 1 }, (_, slot) => outputs.includes(slot));
}

function given(input: ExampleInput): Given {
	if ('ints' in input && input.dims)
		return { type: input.type ?? INT64, dims: input.dims, constant: input.ints };
	if ('ints' in input) return listed(input.type ?? INT64, input.ints, input.scalar);
	if ('floats' in input) return listed(FLOAT, input.floats, input.scalar);
	return 'sizes' in input ? { type: input.type ?? FLOAT, dims: input.sizes } : { type: FLOAT, dims: input };
}

function listed(type: number, constant: readonly number[], scalar = false): Given {
	return { type, dims: scalar ? [] : [constant.length], constant };
}

/** An example's node as its row sees it. */
export function exampleView(op: string, domain: string, example: Example): NodeView {
	const model = oneNodeModel({
		op,
		domain,
		...(example.opset !== undefined && { opset: example.opset }),
		attributes: example.attributes ?? {},
		inputs: example.inputs.map((input) => (input === null ? undefined : given(input))),
		outputs: wantedOutputs(example).map((is) => (is ? 0 : undefined)),
	});
	return inferFacts(model).view(present(model.graph.nodes[0], op));
}
