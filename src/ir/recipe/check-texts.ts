/** Strings that name something: files, inputs, outputs, nodes. */
import { type Diagnostic } from '../../diagnostic.ts';
import { namesNothing } from '../../messages/declarations.ts';
import { type Item, type Statement, type TextSyntax } from '../../parser/syntax.ts';

/** A message for every empty one; where a parameter could not be put in place, that was told. */
export function checkTexts(statements: readonly Statement[]): Diagnostic[] {
	return statements
		.flatMap(textsOf)
		.filter(({ value, param }) => value === '' && param === undefined)
		.map(({ span }) => namesNothing({}, { span }));
}

function textsOf(statement: Statement): readonly TextSyntax[] {
	switch (statement.kind) {
		case 'input':
			return [statement.name];
		case 'protect':
			return statement.globs;
		case 'calibrate':
		case 'evaluate':
			return [statement.path];
		case 'may':
			return statement.names;
		case 'transform':
			return statement.items.flatMap(textsIn);
		default:
			return [];
	}
}

function textsIn(item: Item): readonly TextSyntax[] {
	if ('path' in item) return [item.path];
	if ('names' in item) return item.names;
	if (!('places' in item)) return [];
	return item.places.flatMap((place) => (place.kind === 'glob' ? [place.glob] : []));
}
