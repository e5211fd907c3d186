/** What an exit must equal: the model before, the layers behind the exit's bypassed, with the head that was fitted for it. */
import { type Model, type Tensor, type ValueName } from '../../ir/graph/graph.ts';
import { applyPatch, freshNames, type Edit } from '../../ir/graph/patch.ts';
import { insert } from '../edits.ts';
import { headNames, mapNames, temperatureName, type Exit, type Exits } from './exit-stages.ts';

type Bypass = Pick<Exits, 'final' | 'logits' | 'features'>;

/** Readers of the last layer's result read that of an exit's layer, through its map; logits come from its matrix and are divided by its temperature. */
export function bypassed(
	model: Model,
	{ layer, value }: Exit,
	{ final, logits, features }: Bypass,
	tensors: ReadonlyMap<string, Tensor>,
): Model {
	const fresh = freshNames(model.graph);
	const edits: Edit[] = [];
	const constant = (name: string): ValueName | undefined => {
		const tensor = tensors.get(name);
		if (tensor === undefined) return undefined;
		const own = fresh(`of_exit_${name}`);
		edits.push({ kind: 'constant', tensor: { ...tensor, name: own } });
		return own;
	};
	const through = (from: ValueName, names: readonly string[]): ValueName => {
		const [weight, bias] = names.map(constant);
		if (weight === undefined || bias === undefined) return from;
		const [product, sum] = [fresh(`${from}_product`), fresh(`${from}_sum`)];
		edits.push(insert('MatMul', [from, weight], product), insert('Add', [product, bias], sum));
		return sum;
	};
	edits.push({ kind: 'rewire', from: final, to: through(value, mapNames(layer)) });
	const patched = applyPatch(model, { label: 'reference', edits: edits.splice(0) });
	const temperature = constant(temperatureName(layer));
	const isReplaced = features !== undefined && tensors.has(headNames(layer)[0] ?? '');
	if (temperature === undefined && !isReplaced) return patched;
	const maker = patched.graph.nodes.find(({ outputs }) => outputs.includes(logits));
	if (maker === undefined) return patched;
	const plain = fresh(`${logits}_plain`);
	const renamed = { ...maker, outputs: maker.outputs.map((name) => (name === logits ? plain : name)) };
	const scores = isReplaced ? through(features, headNames(layer)) : plain;
	edits.unshift({ kind: 'node', node: renamed });
	edits.push(
		temperature === undefined
			? insert('Identity', [scores], logits)
			: insert('Div', [scores, temperature], logits),
	);
	return applyPatch(patched, { label: 'reference', edits });
}
