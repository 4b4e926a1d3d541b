"""What the dialog says, in English, French and Spanish."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from polynym.wire.envelope import Language

Three = tuple[str, str, str]

_LANGUAGES: Final[tuple[Language, ...]] = ("en", "fr", "es")

#: What each permission lets an app do, as a person reads it.
PERMISSIONS: Final[Mapping[str, Three]] = {
    "public_profile": ("Your name and profile picture", "Votre nom et votre photo de profil", "Tu nombre y tu foto de perfil"),
    "email": ("Your e-mail address", "Votre adresse e-mail", "Tu dirección de correo electrónico"),
    "user_friends": ("Which friends use this app too", "Vos amis qui utilisent aussi cette application", "Qué amigos usan también esta aplicación"),
    "user_age_range": ("Your age range", "Votre tranche d’âge", "Tu rango de edad"),
    "user_link": ("The link to your profile", "Le lien vers votre profil", "El enlace a tu perfil"),
    "user_gender": ("Your gender", "Votre genre", "Tu género"),
    "user_birthday": ("Your birthday", "Votre date de naissance", "Tu fecha de nacimiento"),
    "user_hometown": ("Your home town", "Votre ville d’origine", "Tu ciudad de origen"),
    "user_location": ("The town you live in", "La ville où vous vivez", "La ciudad donde vives"),
    "openid": ("Confirm who you are to the app", "Confirmer votre identité à l’application", "Confirmar tu identidad ante la aplicación"),
    "pages_show_list": ("See the list of your Pages", "Voir la liste de vos Pages", "Ver la lista de tus páginas"),
    "pages_messaging": ("Read and answer messages of your Pages", "Lire les messages de vos Pages et y répondre", "Leer y responder mensajes de tus páginas"),
    "pages_manage_metadata": ("Manage settings and webhooks of your Pages", "Gérer les paramètres et les webhooks de vos Pages", "Administrar la configuración y los webhooks de tus páginas"),
    "pages_read_engagement": ("Read what your Pages publish and how people react", "Lire les publications de vos Pages et les réactions", "Leer lo que publican tus páginas y las reacciones"),
    "pages_read_user_content": ("Read what people write on your Pages", "Lire ce que les gens écrivent sur vos Pages", "Leer lo que la gente escribe en tus páginas"),
    "pages_manage_posts": ("Publish on your Pages", "Publier sur vos Pages", "Publicar en tus páginas"),
    "pages_manage_engagement": ("Answer and moderate comments on your Pages", "Répondre aux commentaires de vos Pages et les modérer", "Responder y moderar comentarios en tus páginas"),
    "pages_manage_ads": ("Manage ads of your Pages", "Gérer les publicités de vos Pages", "Administrar los anuncios de tus páginas"),
    "pages_manage_cta": ("Manage the buttons of your Pages", "Gérer les boutons de vos Pages", "Administrar los botones de tus páginas"),
    "pages_manage_instant_articles": ("Manage instant articles of your Pages", "Gérer les articles instantanés de vos Pages", "Administrar los artículos instantáneos de tus páginas"),
    "pages_user_locale": ("The language of people who write to your Pages", "La langue des personnes qui écrivent à vos Pages", "El idioma de quienes escriben a tus páginas"),
    "pages_user_timezone": ("The time zone of people who write to your Pages", "Le fuseau horaire des personnes qui écrivent à vos Pages", "La zona horaria de quienes escriben a tus páginas"),
    "pages_user_gender": ("The gender of people who write to your Pages", "Le genre des personnes qui écrivent à vos Pages", "El género de quienes escriben a tus páginas"),
    "leads_retrieval": ("Read the leads of your forms", "Lire les prospects de vos formulaires", "Leer los clientes potenciales de tus formularios"),
    "read_insights": ("Read the statistics of your Pages and apps", "Lire les statistiques de vos Pages et applications", "Leer las estadísticas de tus páginas y aplicaciones"),
    "instagram_basic": ("See your Instagram account", "Voir votre compte Instagram", "Ver tu cuenta de Instagram"),
    "instagram_manage_messages": ("Read and answer Instagram messages", "Lire les messages Instagram et y répondre", "Leer y responder mensajes de Instagram"),
    "instagram_manage_comments": ("Manage Instagram comments", "Gérer les commentaires Instagram", "Administrar los comentarios de Instagram"),
    "business_management": ("Manage your business", "Gérer votre entreprise", "Administrar tu negocio"),
    "manage_business_extension": ("Connect and manage business extensions", "Connecter et gérer des extensions professionnelles", "Conectar y administrar extensiones comerciales"),
    "ads_management": ("Manage your ads", "Gérer vos publicités", "Administrar tus anuncios"),
    "ads_read": ("Read your ad statistics", "Lire les statistiques de vos publicités", "Leer las estadísticas de tus anuncios"),
    "catalog_management": ("Manage your product catalogs", "Gérer vos catalogues de produits", "Administrar tus catálogos de productos"),
    "whatsapp_business_management": ("Manage your WhatsApp Business accounts", "Gérer vos comptes WhatsApp Business", "Administrar tus cuentas de WhatsApp Business"),
    "whatsapp_business_messaging": ("Send WhatsApp messages for you", "Envoyer des messages WhatsApp pour vous", "Enviar mensajes de WhatsApp por ti"),
    "commerce_account_manage_orders": ("Manage the orders of your shop", "Gérer les commandes de votre boutique", "Administrar los pedidos de tu tienda"),
    "commerce_account_read_orders": ("Read the orders of your shop", "Lire les commandes de votre boutique", "Leer los pedidos de tu tienda"),
    "commerce_account_read_reports": ("Read the reports of your shop", "Lire les rapports de votre boutique", "Leer los informes de tu tienda"),
    "commerce_account_read_settings": ("Read the settings of your shop", "Lire les paramètres de votre boutique", "Leer la configuración de tu tienda"),
    "attribution_read": ("Read attribution figures", "Lire les données d’attribution", "Leer los datos de atribución"),
    "private_computation_access": ("Run private measurements", "Effectuer des mesures privées", "Realizar mediciones privadas"),
    "publish_video": ("Publish live video", "Publier des vidéos en direct", "Publicar video en vivo"),
    "read_audience_network_insights": ("Read Audience Network statistics", "Lire les statistiques d’Audience Network", "Leer las estadísticas de Audience Network"),
}  # fmt: skip

_WORDS: Final[Mapping[str, Three]] = {
    "error_title": ("This login cannot go on", "Cette connexion ne peut pas continuer", "Este inicio de sesión no puede continuar"),
    "error_stay": ("You have not been sent anywhere. Error:", "Vous n’avez été redirigé nulle part. Erreur :", "No se te ha enviado a ningún sitio. Error:"),
    "person_title": ("Log in to {}", "Se connecter à {}", "Iniciar sesión en {}"),
    "sandbox_note": ("This is a sandbox: continue as anybody you like.", "Ceci est un bac à sable : continuez avec l’identité de votre choix.", "Esto es un entorno de pruebas: continúa como quien quieras."),
    "search": ("Search by name", "Rechercher par nom", "Buscar por nombre"),
    "find": ("Search", "Rechercher", "Buscar"),
    "continue_as": ("Continue as {}", "Continuer en tant que {}", "Continuar como {}"),
    "continuing_as": ("You continue as {}.", "Vous continuez en tant que {}.", "Continúas como {}."),
    "nobody": ("Nobody has such a name.", "Personne ne porte ce nom.", "Nadie tiene ese nombre."),
    "cancel": ("Cancel", "Annuler", "Cancelar"),
    "decide_title": ("What may {} do?", "Que peut faire {} ?", "¿Qué puede hacer {}?"),
    "always": ("(always)", "(toujours)", "(siempre)"),
    "confirm": ("Continue as {}", "Continuer en tant que {}", "Continuar como {}"),
    "which_page": ("For which Pages?", "Pour quelles Pages ?", "¿Para qué páginas?"),
    "which_business": ("For which businesses?", "Pour quelles entreprises ?", "¿Para qué negocios?"),
    "all_page": ("All current and future Pages", "Toutes les Pages actuelles et futures", "Todas las páginas actuales y futuras"),
    "all_business": ("All current and future businesses", "Toutes les entreprises actuelles et futures", "Todos los negocios actuales y futuros"),
    "only_page": ("Only these Pages:", "Seulement ces Pages :", "Solo estas páginas:"),
    "only_business": ("Only these businesses:", "Seulement ces entreprises :", "Solo estos negocios:"),
}  # fmt: skip


#: Characters that turn the direction of the text around them, and what is shown in their place.
_TURNING: Final = {
    code: f"[U+{code:04X}]" for code in (0x200E, 0x200F, 0x061C, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
}


def named(name: str) -> str:
    """A name as it stands in a sentence: kept from turning the text around it, and from hiding that it tries to."""
    return f"\N{FIRST STRONG ISOLATE}{name.translate(_TURNING)}\N{POP DIRECTIONAL ISOLATE}"


@dataclass(frozen=True, slots=True)
class Words:
    """Everything the screens say in one language."""

    language: Language

    def _say(self, name: str, *values: str) -> str:
        return _WORDS[name][_LANGUAGES.index(self.language)].format(*values)

    def __getattr__(self, name: str) -> str:
        """A fixed text by its name."""
        if name not in _WORDS:
            raise AttributeError(name)
        return self._say(name)

    def person_title(self, app: str) -> str:
        """Title of the first screen."""
        return self._say("person_title", named(app))

    def decide_title(self, app: str) -> str:
        """Title of the second screen."""
        return self._say("decide_title", named(app))

    def continue_as(self, person: str) -> str:
        """A button of the first screen."""
        return self._say("continue_as", named(person))

    def continuing_as(self, person: str) -> str:
        """Who is deciding."""
        return self._say("continuing_as", named(person))

    def confirm(self, person: str) -> str:
        """The button that ends the dialog."""
        return self._say("confirm", named(person))

    def named(self, name: str) -> str:
        """A name by itself."""
        return named(name)

    def permission(self, name: str) -> str:
        """What a permission lets the app do."""
        three = PERMISSIONS.get(name)
        return name if three is None else three[_LANGUAGES.index(self.language)]

    @property
    def which(self) -> Mapping[str, str]:
        """Titles of the asset pickers."""
        return {kind: self._say(f"which_{kind}") for kind in ("page", "business")}

    @property
    def all(self) -> Mapping[str, str]:
        """The choice of everything."""
        return {kind: self._say(f"all_{kind}") for kind in ("page", "business")}

    @property
    def only(self) -> Mapping[str, str]:
        """The choice of some."""
        return {kind: self._say(f"only_{kind}") for kind in ("page", "business")}


def of(language: Language) -> Words:
    """What the screens say in a language."""
    return Words(language)
