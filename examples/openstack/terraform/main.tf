# The same with the Terraform OpenStack provider, which reads clouds.yaml too:
#   terraform init && terraform plan
terraform {
  required_providers {
    openstack = {
      source  = "terraform-provider-openstack/openstack"
      version = "~> 3.0"
    }
  }
}

provider "openstack" {
  cloud = "town"
}

variable "public_key" {
  type        = string
  description = "The OpenSSH public key of whoever may sign in"
}

data "openstack_networking_network_v2" "lgwan" {
  name = "lgwan"
}

data "openstack_images_image_v2" "base" {
  name        = "tiny"
  most_recent = true
}

resource "openstack_networking_secgroup_v2" "portal" {
  name                 = "portal"
  description          = "The portal's web server"
  delete_default_rules = true
}

resource "openstack_networking_secgroup_rule_v2" "http" {
  direction         = "ingress"
  ethertype         = "IPv4"
  protocol          = "tcp"
  port_range_min    = 80
  port_range_max    = 80
  remote_ip_prefix  = "0.0.0.0/0"
  security_group_id = openstack_networking_secgroup_v2.portal.id
}

resource "openstack_compute_keypair_v2" "vendor" {
  name       = "vendor"
  public_key = var.public_key
}

resource "openstack_compute_instance_v2" "portal" {
  name            = "portal"
  image_id        = data.openstack_images_image_v2.base.id
  flavor_name     = "m1.small"
  key_pair        = openstack_compute_keypair_v2.vendor.name
  security_groups = [openstack_networking_secgroup_v2.portal.name]
  user_data       = file("${path.module}/../user-data.yaml")

  network {
    uuid = data.openstack_networking_network_v2.lgwan.id
  }
}

resource "openstack_blockstorage_volume_v3" "documents" {
  name = "documents"
  size = 1
}

resource "openstack_compute_volume_attach_v2" "documents" {
  instance_id = openstack_compute_instance_v2.portal.id
  volume_id   = openstack_blockstorage_volume_v3.documents.id
}

output "address" {
  value = openstack_compute_instance_v2.portal.access_ip_v4
}
